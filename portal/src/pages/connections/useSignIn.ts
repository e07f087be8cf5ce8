import { newKey } from "../../api/client";
import { useSession } from "../../session";
import { useOnce } from "../../ui/useOnce";

/** Send the browser to Microsoft's sign-in for a connection; it comes back to the first page. */
export function useSignIn() {
  const { api } = useSession();
  return useOnce({
    mutationFn: async (connectionId: string) => {
      const { data } = await api.POST("/api/connections/{connection_id}/authorize", {
        params: { path: { connection_id: connectionId } },
        headers: { "Idempotency-Key": newKey() },
      });
      if (data) window.location.assign(data.authorizationUrl);
    },
  });
}
