/** Choosing devices by name. */
import { Combobox, Field, makeStyles, Option, Tag, TagGroup, Text, tokens } from "@fluentui/react-components";
import { useQueries, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { useSession } from "../session";
import { problem } from "./problem";

const useStyles = makeStyles({ tags: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalXS } });
/** Of many, only the first are shown by name. */
const NAMED = 50;

export function DevicePicker(props: {
  ids: readonly string[];
  set: (ids: string[]) => void;
  /** How many the API takes. */
  most: number;
  error?: string | undefined;
}) {
  const { ids, set } = props;
  const styles = useStyles();
  const { api } = useSession();
  const [text, setText] = useState("");
  const search = useDeferredValue(text.trim());
  const found = useQuery({
    queryKey: ["list", "picker", search],
    queryFn: async ({ signal }) => {
      const query = { $top: 20, ...(search && { search }) };
      return (await api.GET("/api/devices", { params: { query }, signal })).data?.value;
    },
  });
  const names = useQueries({
    queries: ids.slice(0, NAMED).map((id) => ({
      queryKey: ["device", id],
      queryFn: async () => (await api.GET("/api/devices/{device_id}", { params: { path: { device_id: id } } })).data,
      staleTime: 60_000,
    })),
  });
  const more = ids.length - NAMED;
  return (
    <>
      <Field label="Devices" required hint="Type a part of a name, then choose." {...problem(props.error)}>
        <Combobox
          multiselect
          placeholder="Find devices"
          // What is chosen stands below the text: the browser would go on asking for the text.
          required={ids.length === 0}
          value={text}
          selectedOptions={[...ids]}
          onChange={(event) => setText(event.target.value)}
          onOptionSelect={(_, data) => {
            const id = data.optionValue;
            if (id) set(ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
          }}
        >
          {(found.data ?? []).map((one) => (
            <Option key={one.id} value={one.id} text={one.name}>
              {`${one.name}, ${one.typeName}${one.clientName ? `, ${one.clientName}` : ""}`}
            </Option>
          ))}
          {found.data?.length === 0 && <Option disabled>Nothing has this in its name</Option>}
        </Combobox>
      </Field>
      {ids.length > 0 && (
        <TagGroup
          className={styles.tags}
          aria-label="Chosen devices"
          onDismiss={(_, data) => set(ids.filter((one) => one !== data.value))}
        >
          {ids.slice(0, NAMED).map((id, index) => {
            const name = names[index]?.data?.name ?? id;
            return (
              <Tag key={id} value={id} dismissible dismissIcon={{ "aria-label": `Remove ${name}` }} size="small">
                {name}
              </Tag>
            );
          })}
        </TagGroup>
      )}
      <Text>
        {ids.length === 1 ? "1 device is chosen" : `${ids.length.toLocaleString()} devices are chosen`}
        {more > 0 && `, ${more.toLocaleString()} of them not shown`}; at most {props.most.toLocaleString()}.
      </Text>
    </>
  );
}
