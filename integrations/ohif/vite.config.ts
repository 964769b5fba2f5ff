import { defineConfig } from "vite";

// One file, committed where the station serves it: the same source gives the same bytes.
export default defineConfig({
  build: {
    outDir: "../../src/camlucida/web/integrations",
    emptyOutDir: true,
    target: "es2022",
    lib: { entry: "src/extension.ts", formats: ["es"], fileName: () => "camlucida-ohif.js" },
  },
});
