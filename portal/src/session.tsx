/** Who is signed in and what they may do; the API's client. Everything below `SessionProvider` may use them. */
import { useQuery } from "@tanstack/react-query";
import { UserManager, WebStorageStateStore } from "oidc-client-ts";
import { createContext, type ReactNode, useContext, useMemo } from "react";
import { AuthProvider, useAuth } from "react-oidc-context";
import { type Api, createApi } from "./api/client";
import type { Config } from "./config";
import { Failure } from "./ui/Failure";
import { Loading } from "./ui/Loading";

export interface Me {
  id: string;
  name: string;
  permissions: string[];
  /** Ids of the sites; null: every site. */
  sites: string[] | null;
}

export interface Session {
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
    <AuthProvider userManager={users} onSigninCallback={(user) => resume(user?.state)}>
      <SessionProvider config={config} users={users}>
        {children}
      </SessionProvider>
    </AuthProvider>
  );
}

/** Go back to where the sign-in began. */
function resume(state: unknown): void {
  const place = typeof state === "string" && state.startsWith("/") ? state : "/";
  window.history.replaceState(null, "", place);
}

function here(): string {
  return window.location.pathname + window.location.search;
}

function SessionProvider({ config, users, children }: { config: Config; users: UserManager; children: ReactNode }) {
  const auth = useAuth();
  const api = useMemo(
    () => createApi(config.apiUrl, users, () => void users.signinRedirect({ state: here() })),
    [config, users],
  );
  const signedIn = auth.isAuthenticated;
  const me = useQuery({
    queryKey: ["me"],
    queryFn: async () => (await api.GET("/api/me")).data as unknown as Me,
    enabled: signedIn,
    staleTime: 5 * 60_000,
  });
  if (auth.error) return <Failure whole error={auth.error} retry={() => void users.signinRedirect({ state: "/" })} />;
  if (!signedIn) {
    if (!auth.isLoading && !auth.activeNavigator) void users.signinRedirect({ state: here() });
    return <Loading whole label="Signing in" />;
  }
  if (me.error) return <Failure whole error={me.error} retry={() => void me.refetch()} />;
  if (!me.data) return <Loading whole label="Signing in" />;
  const { permissions } = me.data;
  const session: Session = {
    api,
    apiUrl: config.apiUrl,
    users,
    me: me.data,
    can: (...wanted) => wanted.some((permission) => permissions.includes(permission)),
    signOut: () => void users.signoutRedirect().catch(() => users.removeUser()),
  };
  return <Context value={session}>{children}</Context>;
}
