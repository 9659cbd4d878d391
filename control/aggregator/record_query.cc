#include "control/aggregator/record_query.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "control/aggregator/page_token.h"
#include "control/aggregator/record_filter.h"
#include "control/aggregator/record_page.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kQuarantineIdBytes = 20;

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

void FillQuarantineRow(absl::string_view id, const StoredQuarantine& stored, v1::QuarantineRow& row) {
  row.set_id(ToHex(id));
  row.set_profile_id(stored.profile_id());
  row.set_run_id(stored.run_id());
  row.set_reason_code(stored.row().reason_code());
  row.set_field(stored.row().field());
  row.set_message(stored.row().message());
  row.set_raw(stored.row().raw());
  row.set_page(stored.row().page());
  row.set_row(stored.row().row());
  *row.mutable_observed_at() = ToTimestamp(absl::FromUnixMicros(stored.observed_us()));
}

}  // namespace

absl::StatusOr<uint64_t> RecordQuery::AsOf(bool has_time, const google::protobuf::Timestamp& time) const {
  if (has_time) return store_.LastBatchAt(absl::ToUnixMicros(FromTimestamp(time)));
  return store_.LastBatch();
}

absl::StatusOr<v1::ListRecordsResponse> RecordQuery::ListRecords(const v1::ListRecordsRequest& request,
                                                                 const Gone& gone) const {
  if (request.profile_id().empty() && request.run_id().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_OR_RUN_REQUIRED",
                 "say which records: set profile_id, or run_id, or both");
  }
  ASSIGN_OR_RETURN(int limit, PageLimit(request.limit(), 100, 10000));
  ASSIGN_OR_RETURN(RowLocation last, ParseLocationToken(request.page_token()));
  ASSIGN_OR_RETURN(RecordFilter filter, RecordFilter::Compile({request.filter().begin(), request.filter().end()}));
  ASSIGN_OR_RETURN(uint64_t as_of, AsOf(request.has_as_of(), request.as_of()));
  RecordPage page(std::move(filter), limit);
  RowLocation next = last == 0 ? 0 : last + 1;
  auto add = [&](uint64_t chunk, const ChunkMeta& meta, const RowSet& rows) -> absl::StatusOr<bool> {
    if (gone()) return absl::CancelledError("the caller has gone");
    ASSIGN_OR_RETURN(std::string bytes, store_.ChunkBatch(chunk));
    return page.AddChunk(chunk, meta, bytes, rows, chunk == LocationChunk(next) ? LocationRow(next) : 0);
  };
  if (!request.run_id().empty()) {
    RETURN_IF_ERROR(store_.ScanRun(
        request.run_id(), LocationChunk(next), as_of, [&](uint64_t chunk, const RowSet& rows) -> absl::StatusOr<bool> {
          ASSIGN_OR_RETURN(ChunkMeta meta, store_.Meta(chunk));
          bool other = !request.profile_id().empty() && meta.profile_id() != request.profile_id();
          return other ? true : add(chunk, meta, rows);
        }));
  } else {
    RowScan scan{request.profile_id(), LocationChunk(next), as_of, request.all_versions()};
    RETURN_IF_ERROR(store_.ScanRows(scan, add));
  }
  return page.Take();
}

absl::StatusOr<v1::ListResultsResponse> RecordQuery::ListResults(const v1::ListResultsRequest& request) const {
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
                                          FillResult(chunk, meta, *response.add_results());
                                          if (response.results_size() < limit) return true;
                                          std::string next;
                                          AppendBigEndian64(next, chunk);
                                          response.set_next_page_token(ToHex(next));
                                          return false;
                                        }));
  return response;
}

absl::StatusOr<v1::ResultsSummary> RecordQuery::Summary() const {
  ASSIGN_OR_RETURN(auto profiles, store_.Profiles());
  ASSIGN_OR_RETURN(auto drones, store_.Drones());
  v1::ResultsSummary summary;
  for (const auto& [profile_id, state] : profiles) {
    summary.set_total_results(summary.total_results() + state.records());
    summary.set_total_batches(summary.total_batches() + state.batches());
    summary.set_quarantined(summary.quarantined() + state.quarantined());
    if (state.records() == 0) continue;
    v1::ProfileCount& count = *summary.add_profiles();
    count.set_profile_id(profile_id);
    count.set_count(state.records());
  }
  for (const auto& [drone_id, state] : drones) {
    if (state.records() > 0) summary.set_unique_drones(summary.unique_drones() + 1);
  }
  return summary;
}

absl::StatusOr<v1::ListQuarantineResponse> RecordQuery::ListQuarantine(const v1::ListQuarantineRequest& request) const {
  ASSIGN_OR_RETURN(int limit, PageLimit(request.limit(), 100, 1000));
  ASSIGN_OR_RETURN(std::string after, FromPageToken(request.page_token(), kQuarantineIdBytes));
  v1::ListQuarantineResponse response;
  size_t bytes = 0;
  RETURN_IF_ERROR(
      store_.ScanQuarantine(request.profile_id(), request.run_id(), after,
                            [&](absl::string_view id, const StoredQuarantine& stored) -> absl::StatusOr<bool> {
                              FillQuarantineRow(id, stored, *response.add_rows());
                              bytes += stored.ByteSizeLong();
                              if (response.rows_size() < limit && bytes < size_t{4} << 20) return true;
                              response.set_next_page_token(ToHex(id));
                              return false;
                            }));
  return response;
}

absl::StatusOr<v1::RunLedger> RecordQuery::Ledger(const std::string& name) const {
  absl::string_view run_id = name;
  if (!absl::ConsumePrefix(&run_id, "runs/") || run_id.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
                 absl::StrCat("name must be runs/{run}; it is \"", name, "\""));
  }
  ASSIGN_OR_RETURN(std::optional<RunState> run, store_.Run(std::string(run_id)));
  if (!run.has_value()) {
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
  return ledger;
}

absl::Status RecordQuery::ScanBatches(const v1::ScanBatchesRequest& request,
                                      const std::function<bool(const v1::ScanBatchesResponse&)>& send) const {
  if (request.profile_id().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_REQUIRED", "profile_id is empty; say which profile");
  }
  ASSIGN_OR_RETURN(uint64_t as_of, AsOf(request.has_as_of(), request.as_of()));
  RowScan scan{request.profile_id(), 0, as_of, false};
  return store_.ScanRows(scan, [&](uint64_t chunk, const ChunkMeta& meta, const RowSet& rows) -> absl::StatusOr<bool> {
    v1::ScanBatchesResponse response;
    if (rows.Count() < meta.rows()) response.set_current(rows.ToBits(meta.rows()));
    ASSIGN_OR_RETURN(*response.mutable_batch(), store_.ChunkBatch(chunk));
    return send(response);
  });
}

}  // namespace chartly::aggregator
