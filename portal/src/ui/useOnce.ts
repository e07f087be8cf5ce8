import { type UseMutationOptions, useMutation } from "@tanstack/react-query";
import { useCallback, useRef } from "react";

/**
 * A mutation that runs once at a time: while it runs, `mutate` does nothing.
 *
 * A disabled button alone does not keep a double click from sending twice: it is drawn after the second press.
 */
export function useOnce<Data, Variables = void>(
  options: Pick<UseMutationOptions<Data, Error, Variables>, "mutationFn" | "onSuccess" | "onError">,
) {
  const running = useRef(false);
  const { mutateAsync: _, ...deed } = useMutation({
    ...options,
    onSettled: () => {
      running.current = false;
    },
  });
  const { mutate: begin } = deed;
  const mutate = useCallback(
    (variables: Variables) => {
      if (running.current) return;
      running.current = true;
      begin(variables);
    },
    [begin],
  );
  return { ...deed, mutate };
}
