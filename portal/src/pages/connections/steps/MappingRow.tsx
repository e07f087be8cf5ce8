import { Badge, makeStyles, Text, tokens } from "@fluentui/react-components";
import type { components } from "../../../api/schema";
import { Mark } from "../../../ui/status";
import { type Choice, SitePicker } from "../../sites/SitePicker";
import type { Tenant } from "../../tenants/status";

const useStyles = makeStyles({
  row: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 2fr) minmax(0, 3fr) 7rem",
    alignItems: "center",
    columnGap: tokens.spacingHorizontalM,
    padding: `${tokens.spacingVerticalXS} 0`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    "@media (max-width: 700px)": { gridTemplateColumns: "minmax(0, 1fr)", rowGap: tokens.spacingVerticalXS },
  },
  who: { display: "grid", overflowWrap: "anywhere" },
  domain: { color: tokens.colorNeutralForeground3, fontSize: tokens.fontSizeBase200 },
});

/** One tenant and the site it gets; `sites`: those that it is mapped to already. */
export function MappingRow(props: {
  tenant: Tenant;
  sites: readonly string[] | undefined;
  choice: Choice;
  isSuggested: boolean;
  free: readonly components["schemas"]["Site"][];
  newName: string;
  onChange: (choice: Choice) => void;
}) {
  const styles = useStyles();
  const { tenant, sites, choice } = props;
  return (
    <li className={styles.row}>
      <span className={styles.who}>
        <Text weight="semibold">{tenant.displayName}</Text>
        <span className={styles.domain}>{tenant.defaultDomain}</span>
      </span>
      {sites ? (
        <Mark tone="good">{`Mapped to ${sites.length === 1 ? sites[0] : `${sites.length} sites`}`}</Mark>
      ) : (
        <SitePicker
          label={`Site of ${tenant.displayName}`}
          tenantName={tenant.displayName}
          choice={choice}
          free={props.free}
          newName={props.newName}
          onChange={props.onChange}
        />
      )}
      {!sites && (props.isSuggested || choice.kind === "new") && (
        <span>
          <Badge appearance="tint" color={props.isSuggested ? "brand" : "informative"}>
            {props.isSuggested ? "Same name" : "New site"}
          </Badge>
        </span>
      )}
    </li>
  );
}
