/** What of JSON Schema the API's settings use, read for a form. */

export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: readonly string[];
  format?: string;
  writeOnly?: boolean;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  items?: Schema;
  anyOf?: readonly Schema[];
  $ref?: string;
  $defs?: Readonly<Record<string, Schema>>;
  /** It may be null. */
  nullable?: boolean;
}

export type Values = Readonly<Record<string, unknown>>;

/** A schema without references, and with "or null" as a mark. */
export function resolved(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.split("/").at(-1);
  const meant = name ? root.$defs?.[name] : undefined;
  if (meant) return { ...resolved(meant, root), ...without(schema, "$ref") };
  const other = schema.anyOf?.find((one) => one.type !== "null");
  if (!other) return schema;
  const nullable = schema.anyOf?.some((one) => one.type === "null") ?? false;
  return { ...resolved(other, root), ...without(schema, "anyOf"), nullable };
}

function without(schema: Schema, key: "$ref" | "anyOf"): Schema {
  const { [key]: _, ...rest } = schema;
  return rest;
}

/** Whether it is kept in the vault and never shown. */
export function isSecret(schema: Schema): boolean {
  return schema.writeOnly === true || schema.format === "password";
}

/** What a field is called: its title, or its name in words where the title is only the name again. "URL" is a title. */
export function labelOf(name: string, schema: Schema): string {
  const { title } = schema;
  if (title && (title.toLowerCase() !== name.toLowerCase() || title === title.toUpperCase())) return title;
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The fields of an object in the order that people fill them in: needed, secret, simple, compound. */
export function fieldsOf(schema: Schema, root: Schema): readonly (readonly [string, Schema])[] {
  const rank = ([name, field]: readonly [string, Schema]) => {
    if (field.type === "object" || field.type === "array") return 3;
    if (schema.required?.includes(name)) return 0;
    return isSecret(field) ? 1 : 2;
  };
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [name, resolved(field, root)] as const);
  return fields.toSorted((a, b) => rank(a) - rank(b));
}

/** What an empty field means: null where it may be, else nothing at all. */
export function emptied(schema: Schema): null | undefined {
  return schema.nullable ? null : undefined;
}

/** Names of the required fields that are empty, in the order of the form; `needed` are required secrets. */
export function missingOf(schema: Schema, values: Values, needed: readonly string[], root = schema): string[] {
  return fieldsOf(schema, root).flatMap(([name, field]) => {
    const value = values[name];
    const label = labelOf(name, field);
    const required = isSecret(field) ? needed.includes(name) : (schema.required?.includes(name) ?? false);
    if (required && String(value ?? "").trim() === "") return [label];
    const item = resolved(field.items ?? {}, root);
    if (item.type !== "object" || !Array.isArray(value)) return [];
    return (value as Values[]).flatMap((row, at) =>
      missingOf(item, row, [], root).map((one) => `${one} (${label.toLowerCase()} ${at + 1})`),
    );
  });
}
