/** Which form an Accept field asks an answer of our own to have (RFC 9110 §12.5.1). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { prefersJson } from "./accept.ts";

const CASES: readonly { name: string; accept: string; json: boolean }[] = [
  { name: "no field", accept: "", json: false },
  { name: "anything, as curl says", accept: "*/*", json: false },
  { name: "JSON", accept: "application/json", json: true },
  { name: "JSON, its case is nothing", accept: "Application/JSON", json: true },
  { name: "JSON before anything", accept: "application/json, */*", json: true },
  { name: "JSON behind anything", accept: "*/*, application/json", json: true },
  { name: "JSON and text alike, JSON first", accept: "application/json, text/plain, */*", json: true },
  { name: "JSON and text alike, text first", accept: "text/plain, application/json", json: false },
  { name: "JSON by half", accept: "application/json;q=0.5, text/plain", json: false },
  { name: "text by half", accept: "text/plain;q=0.5, application/json;q=0.6", json: true },
  { name: "JSON by half of anything", accept: "application/json;q=0.5, */*", json: false },
  { name: "JSON not at all", accept: "application/json;q=0, text/html", json: false },
  { name: "a kind of type", accept: "application/*", json: true },
  {
    name: "the exact one decides",
    accept: "application/*;q=0.1, application/json, text/*;q=0.5",
    json: true,
  },
  {
    name: "a browser",
    accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    json: false,
  },
  { name: "neither", accept: "image/png", json: false },
  { name: "other parameters", accept: "application/json; charset=utf-8; q=1.000", json: true },
  { name: "a weight that is none", accept: "application/json;q=2, text/html", json: false },
  {
    name: "more than anybody needs",
    accept: `${"image/png,".repeat(31)}text/plain;q=0.5,application/json`,
    json: false,
  },
  { name: "many, JSON among the first", accept: `${",".repeat(31)}application/json`, json: true },
  { name: "nothing that can be read", accept: ";;,,=,q=,/", json: false },
];

for (const { name, accept, json } of CASES) {
  test(`accept: ${name}: ${json ? "JSON" : "text"}`, () => assert.equal(prefersJson(accept), json));
}
