import { Toast, ToastBody, ToastTitle, useToastController } from "@fluentui/react-components";
import { useCallback } from "react";
import { asApiError } from "../api/errors";

export const TOASTER = "toasts";

/** Tell in a corner what came of something: `done` of a success, `failed` of an error with its way on. */
export function useToasts(): { done: (title: string, text?: string) => void; failed: (error: unknown) => void } {
  const { dispatchToast } = useToastController(TOASTER);
  const done = useCallback(
    (title: string, text?: string) =>
      dispatchToast(
        <Toast>
          <ToastTitle>{title}</ToastTitle>
          {text && <ToastBody>{text}</ToastBody>}
        </Toast>,
        { intent: "success" },
      ),
    [dispatchToast],
  );
  const failed = useCallback(
    (thrown: unknown) => {
      const error = asApiError(thrown);
      dispatchToast(
        <Toast>
          <ToastTitle>{error.message}</ToastTitle>
          <ToastBody>{error.wayOn}</ToastBody>
        </Toast>,
        { intent: "error", timeout: 10_000 },
      );
    },
    [dispatchToast],
  );
  return { done, failed };
}
