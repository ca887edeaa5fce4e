"""What flows from where to where, over the DAGs that make it flow."""

from __future__ import annotations

from platform_ops.registry import Catalog
from platform_ops.registry.lineage import Flow, Lineage, Node
from platform_ops.registry.models.dags import Asset, Dag
from platform_ops.registry.models.entities import DataSource, Entity
from platform_ops.registry.models.location import Source

ORDERS, BILLS = (Node("entity", f"shop.{name}") for name in ("orders", "bills"))
SHOP, KEEP, READ = Node("source", "shop"), Node("dag", "keep"), Node("dag", "read")


def dag(name: str, *, reads: tuple[Asset, ...] = (), writes: tuple[Asset, ...] = ()) -> Dag:
    said = ("", "", "", "", "", (), (), (), "dags", Source(f"{name}.py", 1))
    return Dag(name, *said, reads=reads, writes=writes)


def flows() -> Lineage:
    orders = Asset("shop.orders", "x-archive://shop/orders")
    return Lineage(
        Catalog(
            sources=(DataSource("shop"),),
            entities=(
                Entity("shop.orders", "shop", asset=orders.uri),
                Entity("shop.bills", "shop"),
            ),
            dags=(dag("keep", writes=(orders,)), dag("read", reads=(orders,))),
        )
    )


def test_what_a_source_sends_goes_through_the_dag_that_archives_it() -> None:
    assert set(flows().flows) == {
        Flow(SHOP, KEEP),
        Flow(KEEP, ORDERS),
        Flow(ORDERS, READ),
        Flow(SHOP, BILLS),
    }


def test_the_way_of_an_entity_begins_at_its_source() -> None:
    assert set(flows().around(ORDERS)) == {
        Flow(SHOP, KEEP),
        Flow(KEEP, ORDERS),
        Flow(ORDERS, READ),
    }
    assert flows().producers(ORDERS) == ("keep",)
