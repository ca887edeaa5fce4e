"""What watches the platform's metrics, written from their one table: a mapping, rules and a dashboard.

    METRICS → statsd mapping → Prometheus → recording and alert rules → Grafana

All three are plain documents; ``platform-ops monitoring`` prints them.
"""

from platform_ops.monitoring.dashboard import dashboard
from platform_ops.monitoring.mapping import statsd_mapping
from platform_ops.monitoring.rules import ALERTS, Alert, rules

__all__ = ["ALERTS", "Alert", "dashboard", "rules", "statsd_mapping"]
