import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import { readAll } from "../../table/rows";

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
