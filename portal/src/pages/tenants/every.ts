import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useSession } from "../../session";
import { readAll } from "../../table/rows";
import type { Names } from "../../ui/Task";

/** Every tenant in scope, or of one connection; read again every `refresh` seconds, if that is given. */
export function useEveryTenant(connectionId?: string, refresh?: number) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["list", "every tenant", connectionId],
    queryFn: ({ signal }) => readAll(api, "/api/tenants", connectionId ? { connectionId } : {}, signal),
    refetchInterval: refresh ? refresh * 1000 : false,
  });
}

/** Every site in scope. */
export function useEverySite() {
  const { api } = useSession();
  return useQuery({
    queryKey: ["list", "every site"],
    queryFn: ({ signal }) => readAll(api, "/api/sites", {}, signal),
  });
}

/** Every connection; nothing for who may not see them. */
export function useEveryConnection() {
  const { api, can } = useSession();
  return useQuery({
    queryKey: ["list", "every connection"],
    queryFn: ({ signal }) => readAll(api, "/api/connections", {}, signal),
    enabled: can("Integration.Admin"),
  });
}

/** Id -> name of every tenant and connection: what the items of work on tenants are about. */
export function useNames(): Names {
  const tenants = useEveryTenant();
  const connections = useEveryConnection();
  return useMemo(
    () =>
      Object.fromEntries([
        ...(tenants.data ?? []).map((one) => [one.id, one.displayName]),
        ...(connections.data ?? []).map((one) => [one.id, one.name]),
      ]),
    [tenants.data, connections.data],
  );
}
