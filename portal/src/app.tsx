import { lazy, type ReactNode, Suspense, useState } from "react";
import { createBrowserRouter, RouterProvider } from "react-router";
import { useSession } from "./session";
import { Crash } from "./shell/Crash";
import { Home } from "./shell/Home";
import { NotFound } from "./shell/NotFound";
import { OPERATION_READERS, PAGES } from "./shell/pages";
import { Shell } from "./shell/Shell";
import { Denied } from "./ui/Denied";
import { Loading } from "./ui/Loading";

const OperationPage = lazy(() => import("./pages/operations/OperationPage"));
const SchedulePage = lazy(() => import("./pages/schedules/SchedulePage"));
const ScheduleFormPage = lazy(() => import("./pages/schedules/ScheduleFormPage"));
const DevicePage = lazy(() => import("./pages/devices/DevicePage"));
const TenantPage = lazy(() => import("./pages/tenants/TenantPage"));
const WizardPage = lazy(() => import("./pages/connections/WizardPage"));

/** A page that needs one of these permissions; who has none is told which. */
function Guarded({ permissions, children }: { permissions: readonly string[]; children: ReactNode }) {
  const { can } = useSession();
  if (permissions.length > 0 && !can(...permissions)) return <Denied permissions={permissions} />;
  return <Suspense fallback={<Loading label="Loading the page" />}>{children}</Suspense>;
}

<<<<<<< HEAD
// Made when somebody is signed in: before that, the address is the sign-in's.
function createRouter() {
  return createBrowserRouter([
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
        {
          path: "operations/:operationId",
          element: (
            <Guarded permissions={OPERATION_READERS}>
              <OperationPage />
            </Guarded>
          ),
        },
        {
          path: "schedules/new",
          element: (
            <Guarded permissions={["CloudDevices.Update"]}>
              <ScheduleFormPage />
            </Guarded>
          ),
        },
        {
          path: "schedules/:scheduleId",
          element: (
            <Guarded permissions={["CloudDevices.Read"]}>
              <SchedulePage />
            </Guarded>
          ),
        },
        {
          path: "schedules/:scheduleId/edit",
          element: (
            <Guarded permissions={["CloudDevices.Update"]}>
              <ScheduleFormPage />
            </Guarded>
          ),
        },
        { path: "*", element: <NotFound /> },
      ],
    },
  ]);
}
=======
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
      {
        path: "setup/tenants/:tenantId",
        element: (
          <Guarded permissions={["CloudDevices.Read", "Microsoft365.Read"]}>
            <TenantPage />
          </Guarded>
        ),
      },
      ...["setup/connections/new", "setup/connections/:connectionId/setup"].map((path) => ({
        path,
        element: (
          <Guarded permissions={["Integration.Admin"]}>
            <WizardPage />
          </Guarded>
        ),
      })),
      { path: "*", element: <NotFound /> },
    ],
  },
]);
>>>>>>> p3

/** The portal of a signed-in person. */
export function App() {
  const [router] = useState(createRouter);
  return <RouterProvider router={router} />;
}
