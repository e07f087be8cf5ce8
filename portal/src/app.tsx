import { lazy, type ReactNode, Suspense } from "react";
import { createBrowserRouter, RouterProvider } from "react-router";
import { useSession } from "./session";
import { Crash } from "./shell/Crash";
import { Home } from "./shell/Home";
import { NotFound } from "./shell/NotFound";
import { PAGES } from "./shell/pages";
import { Shell } from "./shell/Shell";
import { Denied } from "./ui/Denied";
import { Loading } from "./ui/Loading";

const SinkFormPage = lazy(() => import("./pages/sinks/SinkFormPage"));
const SinkPage = lazy(() => import("./pages/sinks/SinkPage"));
const DevicePage = lazy(() => import("./pages/devices/DevicePage"));

/** A page that needs one of these permissions; who has none is told which. */
function Guarded({ permissions, children }: { permissions: readonly string[]; children: ReactNode }) {
  const { can } = useSession();
  if (permissions.length > 0 && !can(...permissions)) return <Denied permissions={permissions} />;
  return <Suspense fallback={<Loading label="Loading the page" />}>{children}</Suspense>;
}

const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <Crash />,
    children: [
      { index: true, element: <Home /> },
      ...PAGES.map(({ path, permissions, Page }) => ({
        path,
        element: (
          <Guarded permissions={permissions}>
            <Page />
          </Guarded>
        ),
      })),
      {
        path: "devices/:deviceId",
        element: (
          <Guarded permissions={["CloudDevices.Read"]}>
            <DevicePage />
          </Guarded>
        ),
      },
      ...["setup/sinks/new", "setup/sinks/:sinkId/edit"].map((path) => ({
        path,
        element: (
          <Guarded permissions={["Alerts.Manage"]}>
            <SinkFormPage />
          </Guarded>
        ),
      })),
      {
        path: "setup/sinks/:sinkId",
        element: (
          <Guarded permissions={["CloudDevices.Read"]}>
            <SinkPage />
          </Guarded>
        ),
      },
      { path: "*", element: <NotFound /> },
    ],
  },
]);

/** The portal of a signed-in person. */
export function App() {
  return <RouterProvider router={router} />;
}
