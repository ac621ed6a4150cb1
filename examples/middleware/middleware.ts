import type { HookContext, Hooks } from "hp-proxy";

/** Answers `text` at `path` itself: no backend is asked. */
export function page(path: string, text: string): Hooks {
  return {
    onRequest: (request) => (request.path === path ? { status: 200, body: text } : undefined),
  };
}

/** Lets in whoever `isKnown` says so of. */
export function auth(isKnown: (token: string) => Promise<boolean>): Hooks {
  return {
    async onRequest(request) {
      const token = request.headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
      if (await isKnown(token)) return undefined;
      return { status: 401, headers: { "www-authenticate": "Bearer" }, body: "Who are you?\n" };
    },
  };
}

/** Tells the client how many milliseconds its answer took, by `clock`. */
export function timing(clock: () => number): Hooks {
  return {
    onRequest(_request, context: HookContext) {
      context.state.beganMs = clock();
    },
    onResponse(response, _request, context: HookContext) {
      response.headers.set("x-took-ms", `${Math.round(clock() - Number(context.state.beganMs))}`);
    },
  };
}
