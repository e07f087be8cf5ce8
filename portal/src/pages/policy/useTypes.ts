/** The types of the person's devices, to choose from. */
import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import type { Chosen } from "../../ui/Choice";

export function useTypes(): Chosen[] {
  const { api } = useSession();
  const summary = useQuery({
    queryKey: ["devices", "summary"],
    queryFn: async () => (await api.GET("/api/devices/summary")).data,
    staleTime: 60_000,
  });
  return (summary.data?.byType ?? []).map(({ type, typeName }) => ({ value: type, label: typeName }));
}
