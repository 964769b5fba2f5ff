import { defineConfig } from "vite";
import { syntheticStation } from "./dev/synthetic-station.mjs";

// File names without a hash: the built files are committed, and the same source gives the same bytes.
export default defineConfig(({ command }) => ({
  base: command === "build" ? "/static/" : "/",
  plugins: command === "serve" ? [syntheticStation()] : [],
  server: { host: "127.0.0.1" },
  build: {
    outDir: "../src/camlucida/web/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: "viewer.js",
        chunkFileNames: "[name].js",
        assetFileNames: "viewer[extname]",
      },
    },
  },
}));
