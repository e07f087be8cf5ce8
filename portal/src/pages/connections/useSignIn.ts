import { useMutation } from "@tanstack/react-query";
import { newKey } from "../../api/client";
import { useSession } from "../../session";

/** Send the browser to Microsoft's sign-in for a connection; it comes back to the first page. */
export function useSignIn() {
  const { api } = useSession();
  return useMutation({
    mutationFn: async (connectionId: string) => {
      const { data } = await api.POST("/api/connections/{connection_id}/authorize", {
        params: { path: { connection_id: connectionId } },
        headers: { "Idempotency-Key": newKey() },
      });
      if (data) window.location.assign(data.authorizationUrl);
    },
  });
}
