/** Step 1: what the connection is called, and whose tenant it is for. */
import { Field, Input, MessageBar, MessageBarBody, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { newKey } from "../../../api/client";
import { useSession } from "../../../session";
import { AppLink } from "../../../ui/AppLink";
import { Facts } from "../../../ui/Facts";
import { Failure } from "../../../ui/Failure";
import { Time } from "../../../ui/time";
import { useOnce } from "../../../ui/useOnce";
import { useEveryConnection } from "../../tenants/every";
import { wizardOf } from "../ConnectionsPage";
import { type Connection, ConnectionState } from "../state";
import { StepFrame } from "./StepFrame";

const GUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const TEXT = "A connection reaches every client of one partner tenant: the one enrolled as a Cloud Solution Provider.";
const useStyles = makeStyles({ form: { display: "grid", gap: tokens.spacingVerticalL, maxWidth: "32rem" } });

export function NameStep({ connection }: { connection: Connection | undefined }) {
  return connection ? <Named connection={connection} /> : <Unnamed />;
}

function Named({ connection }: { connection: Connection }) {
  return (
    <StepFrame step="name" title="Name the connection" text={TEXT}>
      <Facts
        rows={[
          ["Name", connection.name],
          ["Partner tenant", connection.partnerTenantId],
          ["Cloud", connection.cloud],
          ["State", <ConnectionState key="s" connection={connection} />],
          ["Created", <Time key="c" value={connection.createdAt} />],
        ]}
      />
      <Text>These are fixed. For another tenant, make another connection.</Text>
    </StepFrame>
  );
}

function Unnamed() {
  const styles = useStyles();
  const { api } = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [tenant, setTenant] = useState("");
  const [left, setLeft] = useState(false);
  const [key, setKey] = useState(newKey);
  const connections = useEveryConnection();
  const same = connections.data?.find((one) => one.partnerTenantId === tenant.trim().toLowerCase());
  const isId = GUID.test(tenant.trim());
  const create = useOnce({
    mutationFn: async () => {
      const { data } = await api.POST("/api/connections", {
        body: { name: name.trim(), partnerTenantId: tenant.trim() },
        headers: { "Idempotency-Key": key },
      });
      return data;
    },
    onError: () => setKey(newKey()),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: ["list"] });
      if (made) void navigate(`${wizardOf(made.id)}?step=permissions`, { replace: true });
    },
  });
  return (
    <StepFrame
      step="name"
      title="Name the connection"
      text={TEXT}
      next="Save and proceed"
      onNext={() => create.mutate()}
      busy={create.isPending}
      wanting={!name.trim() ? "Give it a name." : isId ? undefined : "Give the id of the partner tenant."}
    >
      <div className={styles.form}>
        <Field label="Name" hint="Such as the name of your company." required>
          <Input maxLength={100} value={name} onChange={(_, data) => setName(data.value)} />
        </Field>
        <Field
          label="Partner tenant ID"
          hint="In the Microsoft Entra admin center: Overview, Tenant ID."
          required
          {...(left && tenant && !isId
            ? { validationMessage: "An id looks like 00000000-0000-0000-0000-000000000000." }
            : {})}
        >
          <Input
            value={tenant}
            spellCheck={false}
            autoComplete="off"
            onBlur={() => setLeft(true)}
            onChange={(_, data) => setTenant(data.value)}
          />
        </Field>
      </div>
      {same && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            A connection reaches this tenant already, and keeps its customers:{" "}
            <AppLink inText to={wizardOf(same.id)}>
              {same.name}
            </AppLink>
            . Go on with that one, or remove it first.
          </MessageBarBody>
        </MessageBar>
      )}
      {create.error && <Failure error={create.error} />}
    </StepFrame>
  );
}
