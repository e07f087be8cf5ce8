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

export interface PreviewRow extends Line {
  /** Counts lines of data from 1, as the API's answer does. */
  number: number;
  /** What is wrong with it, as far as it shows before it is sent. */
  wrong?: string;
}

const MOST_ROWS = 5000;
const MOST_CHARS = 200;

/** What a file holds, before it is sent. Throws an Error where the API would refuse it whole. */
export function preview(text: string): PreviewRow[] {
  const [head = [], ...lines] = cells(text.replace(/^\uFEFF/, ""));
  const header = head.map((name) => name.trim().toLowerCase()).join(",");
  if (header !== "client,site" && header !== "client,site,tenant") {
    throw new Error("The first line must be client,site or client,site,tenant.");
  }
  if (lines.length > MOST_ROWS) {
    throw new Error(`The file has ${lines.length.toLocaleString()} rows. Cut it: at most ${MOST_ROWS} go at once.`);
  }
  return lines.map((line, index) => {
    const [client = "", site = "", tenant = ""] = line.map((one) => one.trim());
    const row = { number: index + 1, client, site, tenant };
    const wrong = wrongWith(row, line.length > head.length);
    return wrong ? { ...row, wrong } : row;
  });
}

function wrongWith({ client, site }: Line, extra: boolean): string | undefined {
  if (extra) return "It has more columns than the first line.";
  if (!client || !site) return `It has no ${client ? "site" : "client"}.`;
  const long = client.length > MOST_CHARS ? "client" : site.length > MOST_CHARS ? "site" : undefined;
  return long && `The ${long} has more than ${MOST_CHARS} characters.`;
}

/** The lines of a CSV file (RFC 4180; also with semicolons, as spreadsheets of some countries write it), without empty ones. */
function cells(text: string): string[][] {
  const first = text.split("\n", 1)[0] ?? "";
  const comma = first.split(";").length > first.split(",").length ? ";" : ",";
  const lines: string[][] = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const line = lines.at(-1) as string[];
    const sign = text.charAt(at);
    const last = line.length - 1;
    if (quoted && sign === '"' && text[at + 1] === '"') {
      line[last] += '"';
      at += 1;
    } else if (sign === '"' && (quoted || line[last] === "")) quoted = !quoted;
    else if (!quoted && sign === comma) line.push("");
    else if (!quoted && (sign === "\n" || sign === "\r")) lines.push([""]);
    else line[last] += sign;
  }
  return lines.filter((line) => line.length > 1 || line[0] !== "");
}
