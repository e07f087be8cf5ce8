import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Served from the root of its origin: by Azure Static Web Apps in Azure, by the host stand-in in the demo.
export default defineConfig({
  plugins: [react()],
  build: { target: "es2023", sourcemap: false, chunkSizeWarningLimit: 1500, reportCompressedSize: true },
  // While developing, beside `make demo`.
  server: { port: 5173, proxy: { "/api": "http://localhost:7071" } },
});
