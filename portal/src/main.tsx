import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/errors";
import { App } from "./app";
import { readConfig } from "./config";
import { SignIn } from "./session";
import { Themed } from "./shell/theme";
import { Failure } from "./ui/Failure";
import "./base.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the API refuses it refuses again; only silence and trouble on its side are worth a second try.
      retry: (count, error) => count < 1 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
      staleTime: 10_000,
    },
  },
});

async function start(): Promise<void> {
  const element = document.getElementById("root");
  if (!element) throw new Error("index.html has no #root");
  const root = createRoot(element);
  try {
    const config = await readConfig();
    root.render(
      <StrictMode>
        <QueryClientProvider client={queries}>
          <Themed>
            <SignIn config={config}>
              <App />
            </SignIn>
          </Themed>
        </QueryClientProvider>
      </StrictMode>,
    );
  } catch (error) {
    root.render(
      <Themed>
        <Failure whole error={error as Error} retry={() => window.location.reload()} />
      </Themed>,
    );
  }
}

void start();
