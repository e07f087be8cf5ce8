import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Failure } from "./Failure";
import { Loading } from "./Loading";
import { PageFrame } from "./PageFrame";

/** A page of one thing: drawn from what was read of it; before that, that it is on its way, or why it does not come. */
export function ReadPage<T>(props: {
  /** What the page is called until its thing has a name, such as "Device". */
  title: string;
  read: Pick<UseQueryResult<T | undefined>, "data" | "error" | "refetch">;
  children: (data: T) => ReactNode;
}) {
  const { title, read } = props;
  if (read.data !== undefined) return props.children(read.data);
  return (
    <PageFrame title={title}>
      {read.error ? (
        <Failure error={read.error} retry={() => void read.refetch()} />
      ) : (
        <Loading label={`Reading the ${title.toLowerCase()}`} />
      )}
    </PageFrame>
  );
}
