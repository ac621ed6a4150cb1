/** The schema of a configuration as JSON Schema, with which editors complete and check YAML and JSON files. */
import * as z from "zod";
import { type JsonSchema, type KeyText, keyTexts } from "./kinds.ts";
import { documentSchema, sectionTexts } from "./schema.ts";

/** JSON Schema, draft 2020-12, of what people write. */
export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(documentSchema, {
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      const section = sectionTexts.get(zodSchema);
      const key = keyTexts.get(zodSchema);
      if (section !== undefined) {
        delete jsonSchema.default;
        jsonSchema.description = section.text;
        // `timeouts:` with nothing behind it.
        jsonSchema.type = ["object", "null"] as unknown as "object";
      }
      if (key === undefined) return;
      for (const name of Object.keys(jsonSchema)) delete jsonSchema[name];
      const json = section === undefined ? key.json : listOf(section.shape, key.json);
      Object.assign(jsonSchema, described(key, json));
    },
  });
  const { $schema, ...rest } = schema;
  return { $schema, title: "Configuration of hp-proxy", ...rest };
}

function described({ text, danger, initial }: KeyText, json: JsonSchema): JsonSchema {
  const warning = danger === "" ? "" : `\nDanger: ${danger}`;
  const common = { description: `${text}.${warning}`, ...json };
  if (initial === undefined) return common;
  return { ...common, default: /^\d+$/.test(initial) ? Number(initial) : initial };
}

/** A list of objects with the keys of `shape`; unless `json` wants a list, one of them, or its short form, too. */
function listOf(shape: Readonly<Record<string, object>>, json: JsonSchema): JsonSchema {
  const properties = Object.fromEntries(
    Object.entries(shape).map(([name, schema]) => {
      const key = keyTexts.get(schema)!;
      return [name, described(key, key.json)];
    }),
  );
  const items = { type: "object", properties, additionalProperties: false };
  if (json.type === "array") return { ...json, items };
  const one = [{ type: "string" }, { type: "integer" }, items];
  return { anyOf: [...one, { type: "array", items: { anyOf: one } }] };
}
