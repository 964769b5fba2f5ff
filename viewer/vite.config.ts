import { defineConfig, type Plugin } from "vite";
import { syntheticStation } from "./dev/synthetic-station.mjs";

/** The pages' own code asks for nothing that could be fetched ahead: vite's helper for that is half a kilobyte. */
const withoutPreload: Plugin = {
  name: "without-preload",
  enforce: "pre",
  load: (id) =>
    id === "\0vite/preload-helper.js" ? "export const __vitePreload = (load) => load();" : undefined,
};

// File names without a hash: the built files are committed, and the same source gives the same bytes.
export default defineConfig(({ command }) => ({
  base: command === "build" ? "/static/" : "/",
  plugins: command === "serve" ? [syntheticStation()] : [withoutPreload],
  server: { host: "127.0.0.1" },
  build: {
    outDir: "../src/camlucida/web/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
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
