/** A form drawn from a JSON Schema: texts, secrets, numbers, choices, switches, lists and objects within each other. */
import {
  Button,
  Field,
  Input,
  makeStyles,
  SearchBox,
  Select,
  Switch,
  Text,
  Textarea,
  tokens,
} from "@fluentui/react-components";
import { AddRegular, DeleteRegular } from "@fluentui/react-icons";
import { useState } from "react";
import { Choice, type ChoiceSource } from "./Choice";
import { emptied, fieldsOf, isSecret, labelOf, resolved, type Schema, type Values } from "./schema";
import { sentence } from "./status";

const useStyles = makeStyles({
  fields: { display: "grid", gap: tokens.spacingVerticalL },
  group: { border: "none", margin: 0, padding: 0, minWidth: 0, display: "grid", gap: tokens.spacingVerticalS },
  legend: { fontWeight: tokens.fontWeightSemibold, padding: 0, marginBottom: tokens.spacingVerticalXS },
  hint: { color: tokens.colorNeutralForeground3, fontSize: tokens.fontSizeBase200 },
  side: {
    display: "grid",
    gap: `${tokens.spacingVerticalS} ${tokens.spacingHorizontalL}`,
    gridTemplateColumns: "repeat(auto-fit, minmax(min(14rem, 100%), 1fr))",
  },
  row: { display: "flex", gap: tokens.spacingHorizontalM, alignItems: "flex-end" },
  rowFields: { flexGrow: 1, minWidth: 0 },
  wrong: { color: tokens.colorStatusDangerForeground1, fontSize: tokens.fontSizeBase200 },
});
const SHOWN = 25;

export interface FormContext {
  /** What is wrong, by the path of the field. */
  errors: ReadonlyMap<string, string>;
  /** Secrets are stored already: an empty field keeps them. */
  stored: boolean;
  /** Secrets that must be given where none are stored, which a schema cannot say. */
  needed?: readonly string[];
  /** Where the values of a field can be chosen from. */
  source?: (name: string, schema: Schema) => ChoiceSource | undefined;
  /** What the form says of a field, in place of the schema's own description. */
  describe?: (schema: Schema) => string;
}

interface NodeProps {
  name: string;
  path: string;
  schema: Schema;
  root: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
  required: boolean;
  context: FormContext;
}

/** The fields of `schema`, whose values are `value`; `path` is where errors look for them. */
export function SchemaForm(props: {
  schema: Schema;
  path: string;
  value: Values;
  onChange: (value: Values) => void;
  context: FormContext;
}) {
  const styles = useStyles();
  return (
    <div className={styles.fields}>
      <Properties {...props} root={props.schema} />
    </div>
  );
}

function Properties(props: {
  schema: Schema;
  root: Schema;
  path: string;
  value: Values;
  onChange: (value: Values) => void;
  context: FormContext;
}) {
  const { schema, root, path, value, onChange, context } = props;
  return fieldsOf(schema, root).map(([name, field]) => (
    <Node
      key={name}
      name={name}
      path={`${path}.${name}`}
      schema={field}
      root={root}
      value={value[name]}
      onChange={(next) => onChange({ ...value, [name]: next })}
      required={schema.required?.includes(name) ?? false}
      context={context}
    />
  ));
}

function Node(props: NodeProps) {
  const { schema } = props;
  if (schema.type === "object") return <Group {...props} />;
  if (schema.type === "array" && resolved(schema.items ?? {}, props.root).type === "object") return <Rows {...props} />;
  return <Scalar {...props} />;
}

function hintOf(schema: Schema, { describe }: FormContext): string {
  return describe ? describe(schema) : (schema.description ?? "");
}

function Scalar({ name, path, schema, value, onChange, required, context }: NodeProps) {
  const label = labelOf(name, schema);
  const error = context.errors.get(path);
  const secret = isSecret(schema);
  const hint = hintOf(schema, context);
  const field = {
    label,
    required: required || (secret && !context.stored && (context.needed?.includes(name) ?? false)),
    ...(hint && { hint }),
    ...(error && { validationMessage: error, validationState: "error" as const }),
  };
  const text = value === undefined || value === null ? "" : String(value);
  const give = (next: string) => onChange(next === "" ? emptied(schema) : next);
  const source = context.source?.(name, schema);
  if (schema.type === "boolean") {
    return (
      <Field {...field} label="" aria-label={label}>
        <Switch
          label={label}
          checked={value === undefined ? schema.default === true : value === true}
          onChange={(_, data) => onChange(data.checked)}
        />
      </Field>
    );
  }
  if (schema.enum) {
    return (
      <Field {...field}>
        <Select value={text || String(schema.default ?? "")} onChange={(_, data) => give(data.value)}>
          {(schema.nullable || (!text && schema.default === undefined)) && <option value="">None</option>}
          {schema.enum.map((one) => (
            <option key={one} value={one}>
              {sentence(one)}
            </option>
          ))}
        </Select>
      </Field>
    );
  }
  if (source) {
    return (
      <Field {...field}>
        <Choice source={source} value={text} onChange={give} />
      </Field>
    );
  }
  if (schema.type === "array") {
    const lines = Array.isArray(value) ? value.join("\n") : "";
    return (
      <Field {...field} hint={[hint, "One in each line."].filter(Boolean).join(" ")}>
        <Textarea
          resize="vertical"
          value={lines}
          onChange={(_, data) => onChange(data.value ? data.value.split("\n") : [])}
        />
      </Field>
    );
  }
  if (schema.type === "integer" || schema.type === "number") {
    return (
      <Field {...field}>
        <Input
          type="number"
          value={text}
          {...(schema.minimum !== undefined && { min: schema.minimum })}
          {...(schema.maximum !== undefined && { max: schema.maximum })}
          onChange={(_, data) => onChange(data.value === "" ? emptied(schema) : Number(data.value))}
        />
      </Field>
    );
  }
  return (
    <Field {...field}>
      <Input
        type={secret ? "password" : "text"}
        autoComplete={secret ? "new-password" : "off"}
        value={text}
        {...(schema.maxLength !== undefined && { maxLength: schema.maxLength })}
        {...(secret && context.stored && { placeholder: "Stored; leave empty to keep it" })}
        {...(!secret && typeof schema.default === "string" && { placeholder: schema.default })}
        onChange={(_, data) => give(data.value)}
      />
    </Field>
  );
}

function Group({ name, path, schema, root, value, onChange, context }: NodeProps) {
  const styles = useStyles();
  const hint = hintOf(schema, context);
  return (
    <fieldset className={styles.group}>
      <legend className={styles.legend}>{labelOf(name, schema)}</legend>
      {hint && <Text className={styles.hint}>{hint}</Text>}
      <div className={styles.side}>
        <Properties
          schema={schema}
          root={root}
          path={path}
          value={(value ?? {}) as Values}
          onChange={onChange}
          context={context}
        />
      </div>
    </fieldset>
  );
}

function Rows({ name, path, schema, root, value, onChange, context }: NodeProps) {
  const styles = useStyles();
  const [part, setPart] = useState("");
  const rows = Array.isArray(value) ? (value as Values[]) : [];
  const label = labelOf(name, schema);
  const item = resolved(schema.items ?? {}, root);
  const hint = hintOf(schema, context);
  const error = context.errors.get(path);
  const found = rows
    .map((row, index) => ({ row, index }))
    .filter(
      ({ row }) =>
        Object.values(row).some((one) =>
          String(one ?? "")
            .toLowerCase()
            .includes(part.toLowerCase()),
        ) || !part,
    );
  const set = (index: number, row: Values) => onChange(rows.map((one, at) => (at === index ? row : one)));
  // A row that is new stands last; its description is said once, above.
  const inRow: FormContext = { ...context, describe: () => "" };
  return (
    <fieldset className={styles.group}>
      <legend className={styles.legend}>{label}</legend>
      {hint && <Text className={styles.hint}>{hint}</Text>}
      {rows.length > SHOWN && (
        <SearchBox
          aria-label={`Find in ${label.toLowerCase()}`}
          placeholder={`Find in ${rows.length}`}
          value={part}
          onChange={(_, data) => setPart(data.value)}
        />
      )}
      {found.slice(-SHOWN).map(({ row, index }) => (
        <div key={index} className={styles.row} role="group" aria-label={`${label} ${index + 1}`}>
          <div className={`${styles.side} ${styles.rowFields}`}>
            <Properties
              schema={item}
              root={root}
              path={`${path}.${index}`}
              value={row}
              onChange={(next) => set(index, next)}
              context={inRow}
            />
          </div>
          <Button
            appearance="subtle"
            icon={<DeleteRegular />}
            aria-label={`Remove ${label.toLowerCase()} ${index + 1}`}
            onClick={() => onChange(rows.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      {found.length > SHOWN && (
        <Text className={styles.hint}>{`The last ${SHOWN} of ${found.length} are shown; find the others above.`}</Text>
      )}
      {error && <Text className={styles.wrong}>{error}</Text>}
      <div>
        <Button
          icon={<AddRegular />}
          disabled={schema.maxItems !== undefined && rows.length >= schema.maxItems}
          onClick={() => {
            setPart("");
            onChange([...rows, {}]);
          }}
        >
          {`Add to ${label.toLowerCase()}`}
        </Button>
      </div>
    </fieldset>
  );
}
