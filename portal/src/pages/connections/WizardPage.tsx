/** Setting up a connection, step by step; the step follows from the connection's own state, so it can be left and resumed. */
import { MessageBar, MessageBarBody, makeStyles, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { Navigate, useParams, useSearchParams } from "react-router";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { PageFrame } from "../../ui/PageFrame";
import { useEverySite, useEveryTenant } from "../tenants/every";
import { type Connection, ConnectionState } from "./state";
import { ConfirmStep } from "./steps/ConfirmStep";
import { CustomersStep } from "./steps/CustomersStep";
import { DoneStep } from "./steps/DoneStep";
import { NameStep } from "./steps/NameStep";
import { type StepId, stepOf } from "./steps/order";
import { PermissionsStep } from "./steps/PermissionsStep";
import { SignInStep } from "./steps/SignInStep";
import { SitesStep } from "./steps/SitesStep";
import { Stepper } from "./steps/Stepper";
import { TestStep } from "./steps/TestStep";

const useStyles = makeStyles({
  root: {
    display: "grid",
    gridTemplateColumns: "11rem minmax(0, 1fr)",
    gap: tokens.spacingHorizontalXXL,
    flexGrow: 1,
    paddingTop: tokens.spacingVerticalS,
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)", gridTemplateRows: "auto 1fr" },
  },
});

const NOTHING_YET = { synced: 0, mapped: 0 };

export default function WizardPage() {
  const { connectionId } = useParams();
  const { api } = useSession();
  const connection = useQuery({
    queryKey: ["connection", connectionId],
    queryFn: async ({ signal }) => {
      const params = { path: { connection_id: connectionId ?? "" } };
      return (await api.GET("/api/connections/{connection_id}", { params, signal })).data;
    },
    enabled: connectionId !== undefined,
  });
  if (connectionId === undefined) {
    return (
      <PageFrame title="New connection">
        <Steps here="name" connection={undefined} />
      </PageFrame>
    );
  }
  if (connection.error && !connection.data) {
    return (
      <PageFrame title="Connection">
        <Failure error={connection.error} retry={() => void connection.refetch()} />
      </PageFrame>
    );
  }
  if (!connection.data) return <Loading label="Reading the connection" />;
  const { data } = connection;
  return (
    <PageFrame title={`Set up ${data.name}`} aside={<ConnectionState connection={data} />}>
      {data.status === "disabling" && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            It is being removed.{" "}
            <AppLink inText to={`/setup/connections?operation=${data.operationId ?? ""}`}>
              See how far it is
            </AppLink>
          </MessageBarBody>
        </MessageBar>
      )}
      <Resumed connection={data} />
    </PageFrame>
  );
}

function Resumed({ connection }: { connection: Connection }) {
  const [query] = useSearchParams();
  const wanted = query.get("step");
  if (connection.status === "tested" && !wanted) return <Midway connection={connection} />;
  const here = stepOf(wanted, connection, NOTHING_YET);
  return here === wanted ? <Steps here={here} connection={connection} /> : <Pinned step={here} />;
}

/** Of a tested connection, what is synced and mapped says where it goes on. */
function Midway({ connection }: { connection: Connection }) {
  const tenants = useEveryTenant(connection.id);
  const sites = useEverySite();
  if (tenants.isPending || sites.isPending) return <Loading label="Looking at how far it is" />;
  const ids = new Set(tenants.data?.map((one) => one.id));
  const progress = {
    synced: tenants.data?.filter((one) => one.status === "synced").length ?? 0,
    mapped: sites.data?.filter((site) => site.tenantId && ids.has(site.tenantId)).length ?? 0,
  };
  return <Pinned step={stepOf(null, connection, progress)} />;
}

/** Put the step into the address: it stays while what is done in it changes the state. */
function Pinned({ step }: { step: StepId }) {
  const [query] = useSearchParams();
  const next = new URLSearchParams(query);
  next.set("step", step);
  return <Navigate replace to={{ search: next.toString() }} />;
}

function Steps({ here, connection }: { here: StepId; connection: Connection | undefined }) {
  const styles = useStyles();
  return (
    <div className={styles.root}>
      <Stepper here={here} connection={connection} />
      {connection === undefined || here === "name" ? (
        <NameStep connection={connection} />
      ) : (
        <Later here={here} connection={connection} />
      )}
    </div>
  );
}

function Later({ here, connection }: { here: StepId; connection: Connection }) {
  if (here === "permissions") return <PermissionsStep connection={connection} />;
  if (here === "signIn") return <SignInStep connection={connection} />;
  if (here === "test") return <TestStep connection={connection} />;
  if (here === "customers") return <CustomersStep connection={connection} />;
  if (here === "sites") return <SitesStep connection={connection} />;
  if (here === "confirm") return <ConfirmStep connection={connection} />;
  return <DoneStep connection={connection} />;
}
