/** An answer of the API that is not a success, or none at all. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when nothing answered. */
    readonly status: number,
    /** The API's code, such as `confirmationRequired`. */
    readonly code: string,
    message: string,
    readonly details: readonly ErrorDetail[] = [],
    readonly requestId: string = "",
    /** Seconds to wait before the next try, where the API says so. */
    readonly retryAfter?: number,
    /** The field that all of it is about. */
    readonly target: string = "",
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** What is wrong with a field, or with a part of it; undefined when nothing is. */
  about(field: string): string | undefined {
    const said = this.details
      .filter(({ target = "" }) => target === field || target.startsWith(`${field}.`))
      .map(({ message = "" }) => message.replace(/^Value error, /, ""));
    if (said.length === 0 && (this.target === field || this.target.startsWith(`${field}.`))) said.push(this.message);
    return said.length > 0 ? said.join(" ") : undefined;
  }

  /** What to do next, in one sentence. */
  get wayOn(): string {
    if (this.status === 0) return "Look at your network, then try again.";
    if (this.status === 401) return "Sign in again in a window of its own: what you typed stays here.";
    if (this.status === 403) return "Ask an administrator of Tenantry for the permission.";
    if (this.status === 404) return "It may have been removed, or is in a site that you do not see.";
    if (this.status === 409) return "Read it again, then decide.";
    if (this.status === 412) return "Somebody else changed it. Read it again, then repeat your change.";
    if (this.status === 429) return `Wait ${seconds(this.retryAfter ?? 30)}, then try again.`;
    if (this.status >= 500) return "Try again; if it stays, give your administrator the request id.";
    return "";
  }
}

function seconds(count: number): string {
  return count === 1 ? "1 second" : `${count} seconds`;
}

export interface ErrorDetail {
  code?: string;
  message?: string;
  target?: string;
}

/** Nobody is signed in any more. */
export function expired(requestId = ""): ApiError {
  return new ApiError(401, "signedOut", "Your sign-in has expired.", [], requestId);
}

/** The error that an answer tells of. Never throws: an answer of a proxy has another shape. */
export async function errorOf(answer: Response): Promise<ApiError> {
  const wait = Number(answer.headers.get("Retry-After")) || undefined;
  const id = answer.headers.get("x-ms-client-request-id") ?? "";
  if (answer.status === 401) return expired(id);
  try {
    const { error } = (await answer.clone().json()) as {
      error: { code: string; message: string; details?: ErrorDetail[]; requestId?: string; target?: string };
    };
    return new ApiError(
      answer.status,
      error.code,
      error.message,
      error.details ?? [],
      error.requestId ?? id,
      wait,
      error.target,
    );
  } catch {
    return new ApiError(answer.status, "httpError", `The API answered with status ${answer.status}.`, [], id, wait);
  }
}

/** What an error says of each field: by the field's path, such as `settings.url`. */
export function fieldErrors(error: Error | null | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (!(error instanceof ApiError)) return found;
  if (error.target) found.set(error.target, error.message);
  for (const { target, message } of error.details) if (target && message) found.set(target, message);
  return found;
}

/** Any thrown thing as an ApiError. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError(0, "noAnswer", "Tenantry's API does not answer.");
}
