/** What a field shows of an error of the API. */
export function problem(said: string | undefined): { validationMessage?: string; validationState?: "error" } {
  return said ? { validationMessage: said, validationState: "error" } : {};
}
