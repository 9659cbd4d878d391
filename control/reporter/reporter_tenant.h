// What the reporter keeps and does for one tenant: its saved reports and their schedule. Thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_REPORTER_TENANT_H_
#define CHARTLY_CONTROL_REPORTER_REPORTER_TENANT_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/rpc/peers.h"
#include "common/state/state_store.h"
#include "common/state/tenant_state.h"
#include "control/reporter/record_batches.h"
#include "control/reporter/report_book.h"
#include "control/reporter/report_desk.h"
#include "control/reporter/report_runner.h"

namespace chartly::reporter {

struct ReporterTenant {
  // All must outlive it. `scan_timeout` bounds the reading of one side, `tick_interval` is how often due reports are
  // looked for.
  ReporterTenant(const std::string& tenant, StateStore& shared, ReportRunner& runner, const rpc::Peers& of_all,
                 Clock& clock, absl::Duration scan_timeout, absl::Duration tick_interval)
      : peers(of_all.ForTenant(tenant)),
        store(MakeTenantState(shared, tenant)),
        tick(tick_interval),
        book(*store, clock),
        desk(
            book, runner,
            [this, scan_timeout](absl::Time as_of) {
              return std::make_unique<RecordBatches>(peers, nullptr, scan_timeout, as_of, &desk.stop());
            },
            clock) {}
  ~ReporterTenant() { Shutdown(); }
  // Starts the schedule of saved reports.
  absl::Status Start() {
    desk.Start(tick);
    return absl::OkStatus();
  }
  // Empty, or what is wrong.
  std::string Health() {
    const absl::Status status = book.Health();
    return status.ok() ? "" : std::string(status.message());
  }
  void Shutdown() { desk.Shutdown(); }

  const rpc::Peers& peers;
  const std::unique_ptr<StateStore> store;
  const absl::Duration tick;
  ReportBook book;
  ReportDesk desk;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORTER_TENANT_H_
