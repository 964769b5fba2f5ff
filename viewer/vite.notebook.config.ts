import { defineConfig } from "vite";

// Two files that notebooks get from Python: the viewer, and the few lines that show it in a cell.
export default defineConfig({
  build: {
    outDir: "../src/camlucida/notebook/built",
    emptyOutDir: true,
    target: "es2022",
    copyPublicDir: false,
    modulePreload: false,
    rollupOptions: {
      input: { viewer: "src/notebook/viewer.ts", widget: "src/notebook/widget.ts" },
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "[name].js" },
    },
  },
});
