import { Suspense, useState } from "react";
import { createBrowserRouter, RouterProvider } from "react-router";
import { useSession } from "./session";
import { Crash } from "./shell/Crash";
import { Home } from "./shell/Home";
import { NotFound } from "./shell/NotFound";
import { DETAILS, PAGES, type PageEntry } from "./shell/pages";
import { Shell } from "./shell/Shell";
import { Denied } from "./ui/Denied";
import { Loading } from "./ui/Loading";

/** A page; who has none of its permissions is told which. */
function Guarded({ permissions, Page }: PageEntry) {
  const { can } = useSession();
  if (permissions.length > 0 && !can(...permissions)) return <Denied permissions={permissions} />;
  return (
    <Suspense fallback={<Loading label="Loading the page" />}>
      <Page />
    </Suspense>
  );
}

// Made when somebody is signed in: before that, the address is the sign-in's.
function createRouter() {
  return createBrowserRouter([
    {
      element: <Shell />,
      errorElement: <Crash />,
      children: [
        { index: true, element: <Home /> },
        ...[...PAGES, ...DETAILS].map((page) => ({ path: page.path, element: <Guarded {...page} /> })),
        { path: "*", element: <NotFound /> },
      ],
    },
  ]);
}

/** The portal of a signed-in person. */
export function App() {
  const [router] = useState(createRouter);
  return <RouterProvider router={router} />;
}
