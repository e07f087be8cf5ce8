/** Who is signed in and what they may do; the API's client. Everything below `SessionProvider` may use them. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { UserManager, WebStorageStateStore } from "oidc-client-ts";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo } from "react";
import { type AuthContextProps, AuthProvider, useAuth } from "react-oidc-context";
import { type Api, createApi } from "./api/client";
import type { components } from "./api/schema";
import type { Config } from "./config";
import { Failure } from "./ui/Failure";
import { Loading } from "./ui/Loading";
import { Again } from "./ui/SignInAgain";
import { holdsWork } from "./ui/Unsaved";

export type Me = components["schemas"]["Me"];

interface Session {
  api: Api;
  apiUrl: string;
  users: UserManager;
  me: Me;
  /** Whether the person has one of these permissions; an administrator has all. */
  can(...permissions: string[]): boolean;
  signOut(): void;
}

const Context = createContext<Session | undefined>(undefined);

/** The session. Throws outside of SessionProvider. */
export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("useSession outside of SessionProvider");
  return session;
}

/** Signing in by OpenID Connect with PKCE; the token lives in the tab and is renewed by a refresh token. */
export function SignIn({ config, children }: { config: Config; children: ReactNode }) {
  const users = useMemo(
    () =>
      new UserManager({
        authority: config.authority,
        client_id: config.clientId,
        redirect_uri: `${window.location.origin}/`,
        post_logout_redirect_uri: `${window.location.origin}/`,
        scope: `openid profile offline_access ${config.scope}`,
        userStore: new WebStorageStateStore({ store: window.sessionStorage }),
        automaticSilentRenew: true,
      }),
    [config],
  );
  return (
    <AuthProvider userManager={users} onSigninCallback={(user) => (user ? resume(user.state) : NEVER)}>
      <SessionProvider config={config} users={users}>
        {children}
      </SessionProvider>
    </AuthProvider>
  );
}

/** Of a window that was opened to sign in: it has told the one that opened it, and is closed by that. */
const NEVER = new Promise<void>(() => {});

/** Go back to where the sign-in began. */
function resume(state: unknown): void {
  const place = typeof state === "string" && state.startsWith("/") ? state : "/";
  window.history.replaceState(null, "", place);
}

function here(): string {
  return window.location.pathname + window.location.search;
}

/**
 * Sends the browser to the sign-in, once however many calls find that nobody is signed in; it comes back to here.
 * Not while something would be lost: then the failure offers a sign-in in a window of its own.
 */
function toSignIn(signinRedirect: AuthContextProps["signinRedirect"]): () => void {
  let leaving = false;
  return () => {
    if (leaving || holdsWork()) return;
    leaving = true;
    // It ends when the sign-in cannot be reached, or when the browser's Back shows this page again.
    void signinRedirect({ state: here() }).finally(() => {
      leaving = false;
    });
  };
}

function SessionProvider({ config, users, children }: { config: Config; users: UserManager; children: ReactNode }) {
  const auth = useAuth();
  const { signinRedirect } = auth;
  const signIn = useMemo(() => toSignIn(signinRedirect), [signinRedirect]);
  const queries = useQueryClient();
  const again = useCallback(async () => {
    await users.signinPopup();
    void queries.invalidateQueries({
      predicate: ({ queryKey, state }) => queryKey[0] === "me" || state.error !== null,
    });
  }, [users, queries]);
  const api = useMemo(() => createApi(config.apiUrl, users, signIn), [config, users, signIn]);
  const signedIn = auth.isAuthenticated;
  const signedOut = !signedIn && !auth.isLoading && !auth.activeNavigator && !auth.error;
  useEffect(() => {
    if (signedOut) signIn();
  }, [signedOut, signIn]);
  const me = useQuery({
    queryKey: ["me"],
    queryFn: async () => (await api.GET("/api/me")).data,
    enabled: signedIn,
    staleTime: 5 * 60_000,
  });
  // A page that is there stays: what fails later is told by what needs it.
  if (!signedIn) {
    return auth.error ? <Failure whole error={auth.error} retry={signIn} /> : <Loading whole label="Signing in" />;
  }
  if (!me.data) {
    if (me.error) return <Failure whole error={me.error} retry={() => void me.refetch()} />;
    return <Loading whole label="Signing in" />;
  }
  const { permissions } = me.data;
  const session: Session = {
    api,
    apiUrl: config.apiUrl,
    users,
    me: me.data,
    can: (...wanted) => wanted.some((permission) => permissions.includes(permission)),
    signOut: () => void users.signoutRedirect().catch(() => users.removeUser()),
  };
  return (
    <Context value={session}>
      <Again value={again}>{children}</Again>
    </Context>
  );
}
