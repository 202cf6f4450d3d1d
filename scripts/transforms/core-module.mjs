// Another build of the core under code that knows nothing of it: the embedded module replaced, and imports added at instantiation.

/** Vite and esbuild agree on this much: the module that embeds the core, and what to put in its place. */
export const EMBEDDED_CORE = /\/bindings\/wasm-inline\.ts$/;
export const embeddedText = (binary) => `export const wasmBase64 = '${Buffer.from(binary).toString('base64')}';\n`;

/** From now on every instance also gets these `env` imports; `imports()` is asked at each instantiation. */
export function addImports(imports) {
  const Original = WebAssembly.Instance;
  WebAssembly.Instance = class extends Original {
    constructor(module, given) {
      super(module, { ...given, env: { ...given?.env, ...imports() } });
    }
  };
}
