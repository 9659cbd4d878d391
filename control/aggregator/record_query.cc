#include "control/aggregator/record_query.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/page_token.h"
#include "control/aggregator/record_filter.h"
#include "control/aggregator/record_page.h"
#include "control/aggregator/record_view.h"
#include "control/aggregator/store_keys.h"

namespace chartly::aggregator {
namespace {

// Both sides of the equation. Before the end is known `fetched` is what arrived.
void FillBalance(const RunState& run, v1::Balance& balance) {
  int64_t received = run.stored() + run.duplicate() + run.filtered() + run.quarantined();
  int64_t fetched = run.has_end() ? run.end().fetched() : received;
  balance.set_fetched(fetched);
  balance.set_stored(run.stored());
  balance.set_duplicate(run.duplicate());
  balance.set_filtered(run.filtered());
  balance.set_quarantined(run.quarantined());
  balance.set_in_spool(std::max<int64_t>(fetched - received, 0));
  balance.set_closed(fetched == received + balance.in_spool());
}

void FillResult(uint64_t chunk, const ChunkMeta& meta, v1::Result& result) {
  result.set_seq(static_cast<int64_t>(chunk));
  result.set_drone_id(meta.drone_id());
  result.set_profile_id(meta.profile_id());
  result.set_run_id(meta.run_id());
  result.set_records(meta.stored());
  *result.mutable_observed_at() = ToTimestamp(absl::FromUnixMicros(meta.observed_us()));
  *result.mutable_acked_at() = ToTimestamp(absl::FromUnixMicros(meta.acked_us()));
  result.set_size_bytes(meta.size_bytes());
}

// What a page and the next one have in common.
std::string QuestionOf(v1::ListRecordsRequest request) {
  request.clear_limit();
  request.clear_page_token();
  request.clear_fields();
  return request.SerializeAsString();
}

}  // namespace

absl::StatusOr<v1::ListRecordsResponse> RecordQuery::ListRecords(const v1::ListRecordsRequest& request,
                                                                 const Gone& gone) const {
  RecordSelection selection{request.profile_id(), request.run_id(), request.all_versions(), 0};
  ASSIGN_OR_RETURN(int limit, PageLimit(request.limit(), 100, 10000));
  ASSIGN_OR_RETURN(RecordFilter filter, RecordFilter::Compile({request.filter().begin(), request.filter().end()}));
  ASSIGN_OR_RETURN(RecordProjection projection,
                   RecordProjection::Parse({request.fields().begin(), request.fields().end()}));
  RecordPage page(std::move(filter), std::move(projection), {limit, max_scanned_}, QuestionOf(request));
  ASSIGN_OR_RETURN(RecordPage::Begin begin, page.ParseToken(request.page_token()));
  selection.as_of = begin.as_of;
  if (begin.as_of == 0) {
    ASSIGN_OR_RETURN(selection.as_of, AsOfBatch(store_, request.has_as_of(), request.as_of()));
  }
  page.SetAsOf(selection.as_of);
  ASSIGN_OR_RETURN(RecordScan scan, RecordScan::Create(store_, std::move(selection)));
  scan.LeaveUnloaded();
  scan.SkipUnless([&page](const Part& part, uint32_t chunk) { return page.MayBeIn(part.meta, chunk); });
  RETURN_IF_ERROR(scan.Run(begin.after, gone, [&](const RecordBlock& block) { return page.Add(block); }));
  v1::ListRecordsResponse response = page.Take();
  Count("chartly_records_scanned_total", static_cast<double>(response.scanned()), "query");
  return response;
}

absl::StatusOr<v1::ListResultsResponse> RecordQuery::ListResults(const v1::ListResultsRequest& request,
                                                                 const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(int limit, PageLimit(request.limit(), 100, 1000));
  ASSIGN_OR_RETURN(std::string token, FromPageToken(request.page_token(), 8));
  uint64_t first = token.empty() ? std::numeric_limits<uint64_t>::max() : ReadBigEndian64(token) - 1;
  v1::ListResultsResponse response;
  RETURN_IF_ERROR(store_.ScanChunksDown(request.profile_id(), first,
                                        [&](uint64_t chunk, const ChunkMeta& meta) -> absl::StatusOr<bool> {
                                          if (!request.run_id().empty() && meta.run_id() != request.run_id())
                                            return true;
                                          if (!request.drone_id().empty() && meta.drone_id() != request.drone_id())
                                            return true;
                                          if (!projects.Includes(meta.profile_id())) return true;
                                          FillResult(chunk, meta, *response.add_results());
                                          if (response.results_size() < limit) return true;
                                          std::string next;
                                          AppendBigEndian64(next, chunk);
                                          response.set_next_page_token(ToHex(next));
                                          return false;
                                        }));
  return response;
}

absl::StatusOr<v1::ResultsSummary> RecordQuery::Summary(const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(auto profiles, store_.Profiles());
  ASSIGN_OR_RETURN(auto drones, store_.Drones());
  v1::ResultsSummary summary;
  for (const auto& [profile_id, state] : profiles) {
    if (!projects.Includes(profile_id)) continue;
    summary.set_total_results(summary.total_results() + state.records());
    summary.set_total_batches(summary.total_batches() + state.batches());
    summary.set_quarantined(summary.quarantined() + state.quarantined());
    if (state.records() == 0) continue;
    v1::ProfileCount& count = *summary.add_profiles();
    count.set_profile_id(profile_id);
    count.set_count(state.records());
  }
  if (projects.bound()) return summary;  // drones are of the whole tenant
  for (const auto& [drone_id, state] : drones) {
    if (state.records() > 0) summary.set_unique_drones(summary.unique_drones() + 1);
  }
  return summary;
}

absl::StatusOr<v1::ListQuarantineResponse> RecordQuery::ListQuarantine(const v1::ListQuarantineRequest& request,
                                                                       const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(int limit, PageLimit(request.limit(), 100, 1000));
  ASSIGN_OR_RETURN(std::string after, FromPageToken(request.page_token(), StoreKeys::kQuarantineIdBytes));
  v1::ListQuarantineResponse response;
  size_t bytes = 0;
  RETURN_IF_ERROR(
      store_.ScanQuarantine(request.profile_id(), request.run_id(), after,
                            [&](absl::string_view id, const StoredQuarantine& stored) -> absl::StatusOr<bool> {
                              if (!stored.redriven_run_id().empty() && !request.include_redriven()) return true;
                              if (!projects.Includes(stored.profile_id())) return true;
                              FillQuarantineRow(id, stored, *response.add_rows());
                              bytes += stored.ByteSizeLong();
                              if (response.rows_size() < limit && bytes < size_t{4} << 20) return true;
                              response.set_next_page_token(ToHex(id));
                              return false;
                            }));
  return response;
}

absl::StatusOr<v1::RunLedger> RecordQuery::Ledger(const std::string& name, const rpc::ProjectScope& projects) const {
  absl::string_view run_id = name;
  if (!absl::ConsumePrefix(&run_id, "runs/") || run_id.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
                 absl::StrCat("name must be runs/{run}; it is \"", name, "\""));
  }
  ASSIGN_OR_RETURN(std::optional<RunState> run, store_.Run(std::string(run_id)));
  if (!run.has_value() || !projects.Includes(run->profile_id())) {
    return Error(absl::StatusCode::kNotFound, "RUN_NOT_FOUND", absl::StrCat("nothing of run ", run_id, " has arrived"),
                 {{"run", run_id}});
  }
  v1::RunLedger ledger;
  ledger.set_run_id(std::string(run_id));
  ledger.set_profile_id(run->profile_id());
  ledger.set_drone_id(run->drone_id());
  ledger.set_batches(run->batches());
  FillBalance(*run, *ledger.mutable_balance());
  if (run->has_end()) *ledger.mutable_end() = run->end();
  ledger.set_deleted(run->deleted());
  return ledger;
}

}  // namespace chartly::aggregator
