/** What a person chose for this browser, kept across reloads and shared by every part of the page. */
import { useCallback, useSyncExternalStore } from "react";

const PREFIX = "tenantry.";
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}

/** A preference and its setter; `fallback` until the person has chosen. What cannot be read counts as not chosen. */
export function usePreference<T>(name: string, fallback: T): [T, (value: T) => void] {
  const text = useSyncExternalStore(subscribe, () => window.localStorage.getItem(PREFIX + name));
  const set = useCallback(
    (value: T) => {
      window.localStorage.setItem(PREFIX + name, JSON.stringify(value));
      for (const each of listeners) each();
    },
    [name],
  );
  return [parsed(text, fallback), set];
}

function parsed<T>(text: string | null, fallback: T): T {
  try {
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}
