import { FluentProvider, webDarkTheme, webLightTheme } from "@fluentui/react-components";
import { type ReactNode, useEffect, useSyncExternalStore } from "react";
import { usePreference } from "../ui/preferences";

export type Theme = "system" | "light" | "dark";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function subscribe(listener: () => void): () => void {
  dark.addEventListener("change", listener);
  return () => dark.removeEventListener("change", listener);
}

/** The person's choice, and whether the page is dark because of it or of the system. */
export function useTheme(): { choice: Theme; isDark: boolean; choose: (theme: Theme) => void } {
  const [choice, choose] = usePreference<Theme>("theme", "system");
  const system = useSyncExternalStore(subscribe, () => dark.matches);
  return { choice, isDark: choice === "system" ? system : choice === "dark", choose };
}

/** Fluent's look, light or dark. */
export function Themed({ children }: { children: ReactNode }) {
  const { isDark } = useTheme();
  useEffect(() => {
    document.documentElement.style.colorScheme = isDark ? "dark" : "light";
  }, [isDark]);
  return (
    <FluentProvider theme={isDark ? webDarkTheme : webLightTheme} style={{ minHeight: "100%" }}>
      {children}
    </FluentProvider>
  );
}
