/** Sites as the CSV file that the API imports: `client,site,tenant`. */
import type { Api } from "../../api/client";
import type { components } from "../../api/schema";

export type Imported = components["schemas"]["ImportedSite"];

interface Line {
  client: string;
  site: string;
  /** Id, domain or name of a synced tenant; empty: the mapping stays as it is. */
  tenant: string;
}

export const TEMPLATE = fileOf([
  { client: "Contoso", site: "Head office", tenant: "contoso.com" },
  { client: "Fabrikam", site: "Leeds", tenant: "" },
]);

/** The file of some lines. */
export function fileOf(lines: readonly Line[]): string {
  const rows = lines.map((line) => [line.client, line.site, line.tenant].map(quoted).join(","));
  return `${["client,site,tenant", ...rows].join("\r\n")}\r\n`;
}

function quoted(text: string): string {
  return /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Import a file: every good row is kept, every bad one says why. */
export async function importFile(api: Api, text: string, key: string): Promise<readonly Imported[]> {
  const { data } = await api.POST("/api/sites/import", {
    body: text,
    bodySerializer: (body) => body,
    headers: { "Content-Type": "text/csv", "Idempotency-Key": key },
  });
  return data?.value ?? [];
}
