export const EMBEDDED_CORE: RegExp;
export function embeddedText(binary: Uint8Array): string;
export function addImports(imports: () => WebAssembly.ModuleImports): void;
