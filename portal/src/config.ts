/** Where the API is, and how people sign in: read before anything is drawn. */

export interface Config {
  /** Base of the API, without a trailing slash: ends in /api. */
  apiUrl: string;
  /** OpenID Connect issuer. */
  authority: string;
  clientId: string;
  /** Scope of the API's own permission. */
  scope: string;
}

/** Read config.json beside the page, then what the API says of its sign-in. Throws Error with what to do. */
export async function readConfig(): Promise<Config> {
  const { apiUrl } = await read<{ apiUrl: string }>("/config.json", "The portal's own config.json cannot be read.");
  const base = new URL(apiUrl, window.location.origin).href.replace(/\/$/, "");
  const signIn = await read<Omit<Config, "apiUrl">>(
    `${base}/service/portal-config`,
    `Tenantry's API at ${base} does not answer.`,
  );
  return { authority: signIn.authority, clientId: signIn.clientId, scope: signIn.scope, apiUrl: base };
}

async function read<T>(url: string, failed: string): Promise<T> {
  const answer = await fetch(url, { cache: "no-cache" }).catch(() => undefined);
  if (!answer?.ok) throw new Error(`${failed} Try again; if it stays, tell your administrator.`);
  return (await answer.json()) as T;
}
