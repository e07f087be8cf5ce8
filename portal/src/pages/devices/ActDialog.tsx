/** Asking for an action on one device or many: what will happen, why it is done, and what came of it. */
import {
  Button,
  Checkbox,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  MessageBar,
  MessageBarBody,
  makeStyles,
  tokens,
} from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { newKey } from "../../api/client";
import { ApiError } from "../../api/errors";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import type { Filters } from "../../table/model";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { type Operation, OperationProgress } from "../../ui/OperationProgress";
import { useOnce } from "../../ui/useOnce";
import { given, NO_REASON, Why } from "../../ui/Why";
import { offerName, VERB_NAMES, type Verb } from "./actions";
import { Instances } from "./Instances";
import { Named } from "./Named";

const useStyles = makeStyles({ content: { display: "grid", gap: tokens.spacingVerticalM } });

type Device = components["schemas"]["Device"];

/** One device or a child of it, or several without the `others` that cannot, or all that match a filter. */
export type Target =
  | { kind: "one"; id: string; name: string; child?: string }
  | { kind: "some"; devices: readonly Device[]; others: readonly Device[] }
  | { kind: "matching"; filters: Filters; count: number };

export function ActDialog(props: { verb: Verb; target: Target; close: () => void }) {
  const { verb, target } = props;
  const styles = useStyles();
  const { api } = useSession();
  const queries = useQueryClient();
  const [why, setWhy] = useState(NO_REASON);
  const [confirmed, setConfirmed] = useState(false);
  const [key, setKey] = useState(newKey);
  const [instances, setInstances] = useState<readonly string[]>([]);
  const one = target.kind === "one" ? target : undefined;
  const child = one?.child;
  // What several of one type are told of the verb, the first of them tells.
  const told = one?.id ?? firstOfOneType(target)?.id;
  const offers = useQuery({
    queryKey: ["actions", told, child],
    queryFn: async ({ signal }) => {
      const params = { path: { device_id: told ?? "" }, query: child ? { child } : {} };
      return (await api.GET("/api/devices/{device_id}/actions", { params, signal })).data;
    },
    enabled: told !== undefined,
    staleTime: 0,
    gcTime: 0,
  });
  const offer = offers.data?.value.find((each) => each.action === verb);
  const act = useOnce({
    mutationFn: async () => {
      const body = { ...given(why), ...(confirmed && { confirm: true }) };
      const header = { "Idempotency-Key": key };
      if (one) {
        const path = { device_id: one.id, verb };
        const part = { ...(child && { child }), ...(instances.length > 0 && { instances: [...instances] }) };
        const call = { params: { path, header }, body: { ...body, ...part } };
        return (await api.POST("/api/devices/{device_id}/actions/{verb}", call)).data as Operation;
      }
      const which =
        target.kind === "some"
          ? { deviceIds: target.devices.map(({ id }) => id) }
          : { filter: filterOf((target as { filters: Filters }).filters) };
      const call = { params: { header }, body: { ...body, ...which, action: verb } };
      return (await api.POST("/api/actions", call)).data as Operation;
    },
    // Another body is another request.
    onError: () => setKey(newKey()),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["list"] }),
  });
  const close = () => {
    // What the page behind it shows of the devices is from before the action.
    if (!act.isIdle) void queries.invalidateQueries();
    props.close();
  };
  const label = offer ? offerName(offer) : VERB_NAMES[verb];
  const title = `${label} ${nounOf(target)}`;
  const needed = one && offer?.available ? offer.instances : undefined;
  const whole = needed !== "optional" || instances.length === 0;
  const lacking = (needed === "one" || needed === "some") && instances.length === 0;
  const marked =
    (offer?.needsConfirmation === true && whole) ||
    (act.error instanceof ApiError && act.error.code === "confirmationRequired");
  const possible = target.kind !== "one" || offer?.available === true;
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{title}</DialogTitle>
          <DialogContent className={styles.content}>
            {act.data ? (
              <OperationProgress id={act.data.id} noun={`${label} of ${nounOf(target)}`} />
            ) : (
              <>
                {one && offers.isPending && <Loading label="Reading its state from Azure" />}
                {one && offers.error && <Failure error={offers.error} retry={() => void offers.refetch()} />}
                {one && offer && !offer.available && (
                  <MessageBar intent="warning" layout="multiline">
                    <MessageBarBody>{offer.reason}</MessageBarBody>
                  </MessageBar>
                )}
                {target.kind === "some" && <Named verb={verb} devices={target.devices} others={target.others} />}
                {offer && (offer.available || !one) && <div>{offer.effect}</div>}
                {offer?.available && offer.note && <div>{offer.note}</div>}
                {one && needed && <Instances id={one.id} needed={needed} chosen={instances} set={setInstances} />}
                {target.kind !== "one" && (
                  <div>
                    Each device is looked at again just before it is acted on. One that cannot do it, or is there
                    already, is told as a failed item; the others go on.
                  </div>
                )}
                {possible && (
                  <>
                    <Why value={why} onChange={setWhy} />
                    {marked && (
                      <Checkbox
                        checked={confirmed}
                        onChange={(_, data) => setConfirmed(data.checked === true)}
                        label={
                          needed === "optional"
                            ? "Yes, all of it."
                            : (offer?.confirmation ?? "Yes, I know what this does.")
                        }
                      />
                    )}
                  </>
                )}
                {act.error && <Failure error={act.error} />}
              </>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>{act.data ? "Close" : "Cancel"}</Button>
            {!act.data && (
              <Button
                appearance="primary"
                disabled={!possible || act.isPending || lacking || (marked && !confirmed)}
                onClick={() => act.mutate()}
              >
                {label}
              </Button>
            )}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

function firstOfOneType(target: Target): Device | undefined {
  if (target.kind !== "some") return undefined;
  const [first, ...rest] = target.devices;
  return rest.every(({ type }) => type === first?.type) ? first : undefined;
}

function nounOf(target: Target): string {
  if (target.kind === "one") return target.child ? `${target.name}/${target.child}` : target.name;
  const count = target.kind === "some" ? target.devices.length : target.count;
  if (target.kind === "some" && count === 1) return target.devices[0]?.name ?? "1 device";
  return count === 1 ? "1 device" : `${count.toLocaleString()} devices`;
}

/** The filters of the list as the body of an action takes them. */
function filterOf(filters: Filters): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(filters).map(([name, values]) => [name, name === "search" ? (values[0] ?? "") : [...values]]),
  );
}
