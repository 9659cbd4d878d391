#include "common/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "absl/synchronization/mutex.h"
#include "common/telemetry/log.h"

namespace chartly {
namespace {

using prometheus::Family;

constexpr char kUnlabelledTenant[] = "default";
constexpr absl::string_view kOtherTenants = "others";

// One family a metric of the table.
struct Instruments {
  prometheus::Registry registry;
  std::map<std::string, Family<prometheus::Counter>*, std::less<>> counters;
  std::map<std::string, Family<prometheus::Gauge>*, std::less<>> gauges;
  std::map<std::string, Family<prometheus::Histogram>*, std::less<>> histograms;
  std::map<std::string, const MetricInfo*, std::less<>> infos;
};

Instruments& All() {
  static Instruments* instruments = [] {
    auto* made = new Instruments();
    for (const MetricInfo& info : Metrics()) {
      made->infos[info.name] = &info;
      switch (info.kind) {
        case MetricKind::kCounter:
          made->counters[info.name] =
              &prometheus::BuildCounter().Name(info.name).Help(info.help).Register(made->registry);
          break;
        case MetricKind::kGauge:
          made->gauges[info.name] = &prometheus::BuildGauge().Name(info.name).Help(info.help).Register(made->registry);
          break;
        case MetricKind::kHistogram:
          made->histograms[info.name] =
              &prometheus::BuildHistogram().Name(info.name).Help(info.help).Register(made->registry);
          break;
      }
    }
    return made;
  }();
  return *instruments;
}

template <typename Map>
typename Map::mapped_type FamilyOf(const Map& families, absl::string_view name) {
  auto found = families.find(std::string(name));
  if (found == families.end()) {
    // A name outside the table is a mistake in the code, never the result of input.
    LogError("metric is not in the table", {{"name", std::string(name)}});
    std::abort();
  }
  return found->second;
}

thread_local absl::string_view metric_tenant;

// Lives as long as the process.
absl::string_view LabelOf(absl::string_view tenant) {
  if (tenant.empty() || tenant == kUnlabelledTenant) return "";
  static absl::Mutex mu(absl::kConstInit);
  static auto* names = new std::set<std::string, std::less<>>();
  absl::MutexLock lock(&mu);
  auto found = names->find(tenant);
  if (found != names->end()) return *found;
  if (names->size() >= kMaxMetricTenants) return kOtherTenants;
  return *names->emplace(tenant).first;
}

std::map<std::string, std::string> Labels(absl::string_view name, absl::string_view label) {
  const MetricInfo& info = *All().infos.find(std::string(name))->second;
  std::map<std::string, std::string> labels;
  if (info.label[0] != '\0') labels[info.label] = std::string(label);
  if (!metric_tenant.empty() && info.kind != MetricKind::kHistogram) labels["tenant"] = std::string(metric_tenant);
  return labels;
}

const prometheus::Histogram::BucketBoundaries& Seconds() {
  static const auto* buckets = new prometheus::Histogram::BucketBoundaries{
      0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100};
  return *buckets;
}

}  // namespace

const std::vector<MetricInfo>& Metrics() {
  using enum MetricKind;
  static const auto* table = new std::vector<MetricInfo>{
      {"chartly_part_condition", kGauge, "part",
       "How a part of this process does, as /health says: 0 well, 1 degraded, 2 failing."},
      {"chartly_rpc_calls_total", kCounter, "outcome", "gRPC calls served, by canonical status code."},
      {"chartly_rpc_seconds", kHistogram, "method", "Time to serve a gRPC call, in seconds, by method."},
      {"chartly_http_requests_total", kCounter, "status", "HTTP requests answered, by status class (2xx, 4xx, ...)."},
      {"chartly_http_pauses_total", kCounter, "what",
       "Times a connection of an address that sends what makes no sense was not read at once: read_later, refused."},
      {"chartly_http_connections", kGauge, "", "Open HTTP connections."},
      {"chartly_event_streams", kGauge, "", "Open server-sent event streams."},
      {"chartly_auth_refusals_total", kCounter, "reason",
       "Calls refused for who made them, by reason: API_KEY_REQUIRED, API_KEY_UNKNOWN, ROLE_TOO_LOW, ..."},
      {"chartly_sessions", kGauge, "", "Sessions of browsers that have not ended."},
      {"chartly_issuer_failures_total", kCounter, "reason",
       "Times the keys of the issuer of tokens could not be fetched, by reason."},
      {"chartly_tls_reloads_total", kCounter, "outcome",
       "Times the certificate of the gateway was read again: loaded, refused."},
      {"chartly_certificate_renewals_total", kCounter, "outcome",
       "Times this process of the control plane made itself a certificate for gRPC: renewed, failed."},
      {"chartly_certificate_expire_time_seconds", kGauge, "",
       "When that certificate ends, in seconds since 1970; none where gRPC is plaintext."},
      {"chartly_tls_refusals_total", kCounter, "where",
       "Connections that were refused before TLS was agreed upon: gateway (handshake failed), plaintext (to the "
       "gateway), timeout (of the gateway), rpc (gRPC: no certificate of the authority, no TLS, or a peer that is "
       "none)."},
      {"chartly_rpc_connections_closed_total", kCounter, "why",
       "Connections to gRPC that the gate closed, by reason: preface (no HTTP/2), hello (no TLS), silent (nothing in "
       "time), "
       "hung_up (before it began), turn (too many of its address that ended early), crowd (too many that have not "
       "begun), "
       "header_block (without an end)."},
      {"chartly_rpc_pauses_total", kCounter, "",
       "Times a connection to gRPC was not read for a while, since it cost too much for nothing."},
      {"chartly_join_refusals_total", kCounter, "reason",
       "Drones that were not let in, by reason; JOIN_TOKEN_USED is a token that somebody has copied."},
      {"chartly_audit_failures_total", kCounter, "", "Changes that could not be written to the audit log."},
      {"chartly_audit_events_total", kCounter, "", "Events appended to the audit log."},
      {"chartly_audit_checkpoint_size", kGauge, "", "Events covered by the newest signed checkpoint of the audit log."},
      {"chartly_audit_export_failures_total", kCounter, "way",
       "Checkpoints that could not be handed out, by way: file, webhook."},
      {"chartly_profiles", kGauge, "", "Profiles in use."},
      {"chartly_drones", kGauge, "state", "Known drones, by state."},
      {"chartly_drone_streams", kGauge, "", "Streams of drones that are open."},
      {"chartly_runs_total", kCounter, "status", "Runs that ended, by status."},
      {"chartly_rollouts_total", kCounter, "state",
       "Rollouts of revisions that ended, by state: succeeded, rolled_back, aborted."},
      {"chartly_profiles_refused_total", kCounter, "reason",
       "Profiles that a drone was ordered to run and did not, by reason."},
      {"chartly_replays_total", kCounter, "", "Runs over kept payloads that were asked for."},
      {"chartly_runs_active", kGauge, "", "Runs that have not ended."},
      {"chartly_backfill_partitions", kGauge, "state",
       "Partitions of backfills that have not ended: waiting, running, failed."},
      {"chartly_retries_put_off_total", kCounter, "",
       "Failed runs whose next attempt waits for the retry budget of their profile."},
      {"chartly_shadows_total", kCounter, "outcome",
       "Texts that were to be tried over what a run fetched: done, failed."},
      {"chartly_quota_turns_total", kCounter, "outcome",
       "Turns of quotas that all drones share: given, and returned without having been used."},
      {"chartly_quota_throttled_total", kCounter, "",
       "Times a source with such a quota said that it is asked too often."},
      {"chartly_webhook_deliveries_total", kCounter, "outcome",
       "Deliveries posted to webhooks: taken, already_taken, or the reason of the refusal."},
      {"chartly_webhook_waiting", kGauge, "", "Webhook deliveries that wait for the end of a run."},
      {"chartly_webhook_waiting_bytes", kGauge, "", "Bytes of the webhook deliveries that wait."},
      {"chartly_webhook_aside", kGauge, "", "Webhook deliveries that wait for another revision of their profile."},
      {"chartly_ingest_batches_total", kCounter, "", "Batches made durable."},
      {"chartly_ingest_bytes_total", kCounter, "", "Bytes of batches made durable."},
      {"chartly_ingest_commit_seconds", kHistogram, "", "Time of one group commit with its fsync, in seconds."},
      {"chartly_ingest_pending_bytes", kGauge, "", "Bytes that wait for a commit."},
      {"chartly_rows_total", kCounter, "outcome",
       "Rows by what became of them: stored, duplicate, filtered, quarantined (aggregator); fetched (drone)."},
      {"chartly_dedupe_index_bytes", kGauge, "", "Memory of the dedupe index, in bytes."},
      {"chartly_dedupe_filter_bytes", kGauge, "",
       "Memory of the filters over the keys and ids of sealed parts, in bytes."},
      {"chartly_dedupe_cache_bytes", kGauge, "", "Memory of the sealed chunks that look-ups keep, in bytes."},
      {"chartly_dedupe_lookups_total", kCounter, "",
       "Keys that a filter did not rule out and were looked up in a part."},
      {"chartly_store_unsealed_rows", kGauge, "", "Rows in batches that are not sealed yet."},
      {"chartly_store_parts", kGauge, "", "Parts of sealed chunks."},
      {"chartly_store_sealed_bytes_total", kCounter, "", "Bytes of sealed chunks written, by merges again, too."},
      {"chartly_store_sealed_rows_total", kCounter, "kind",
       "Rows that were written into parts: seal (once each), merge (again, with each merge)."},
      {"chartly_store_merge_seconds", kHistogram, "kind",
       "Time to make a part, in seconds: seal (out of batches), merge (out of parts)."},
      {"chartly_store_chunk_cache_total", kCounter, "result", "Sealed chunks that look-ups asked for: hit, miss."},
      {"chartly_store_failures_total", kCounter, "", "Writes that the store refused or could not make durable."},
      {"chartly_store_opened_anew_total", kCounter, "",
       "Times that a store was closed and opened again, because RocksDB had met a full disk."},
      {"chartly_store_keeps_garbage", kGauge, "",
       "Stores that met a full disk and still have too little room to collect what is not needed any more."},
      {"chartly_records_scanned_total", kCounter, "by",
       "Stored rows looked at for an answer, by what asked: query, export, why."},
      {"chartly_exports_total", kCounter, "format", "Files of records streamed to their end, by format."},
      {"chartly_exports_active", kGauge, "", "Exports under way."},
      {"chartly_redriven_rows_total", kCounter, "outcome", "Rows in quarantine tried again: left, stayed."},
      {"chartly_deleted_records_total", kCounter, "by", "Records deleted, by who asked for it: request, retention."},
      {"chartly_backup_copies_total", kCounter, "outcome", "Backups sent to the bucket: succeeded, failed."},
      {"chartly_backup_copy_last_success_seconds", kGauge, "",
       "When the bucket last had all backups, seconds since 1970; absent before the first since the start."},
      {"chartly_backup_log_behind_seconds", kGauge, "part",
       "Age of the last moment that can be restored of a part; absent before its first backup."},
      {"chartly_backup_log_bytes_total", kCounter, "part", "Bytes of writes archived beside the backups."},
      {"chartly_backup_log_copies_total", kCounter, "outcome",
       "Rounds of sending logs to the bucket: succeeded, failed."},
      {"chartly_backup_log_copy_last_success_seconds", kGauge, "",
       "When the bucket last had all that was archived, seconds since 1970; absent before the first since the start."},
      {"chartly_backup_log_failures_total", kCounter, "part", "Attempts to archive the log of a part that failed."},
      {"chartly_backups_total", kCounter, "outcome", "Backups of all parts: succeeded, failed."},
      {"chartly_backup_last_success_seconds", kGauge, "",
       "When the newest backup was whole, in seconds since 1970; 0 if there is none."},
      {"chartly_readiness_gates_waiting", kGauge, "", "Pods whose readiness gate is not open yet."},
      {"chartly_readiness_verdicts_total", kCounter, "verdict",
       "Verdicts written for a readiness gate: well, not_well."},
      {"chartly_readiness_gate_faults_total", kCounter, "",
       "Rounds over the readiness gates in which the API of the cluster was away or refused."},
      {"chartly_drift_findings", kGauge, "environment",
       "What is open of an environment that is not as its commit declares it."},
      {"chartly_drift_checked_seconds", kGauge, "environment",
       "When an environment was last compared with its commit, in seconds since 1970; 0 if never."},
      {"chartly_build_info", kGauge, "version", "1, for the version of the program."},
      {"chartly_reports_total", kCounter, "outcome", "Reports answered, by canonical status code."},
      {"chartly_report_pieces_total", kCounter, "",
       "Pieces in which reports were answered; one of those answered whole."},
      {"chartly_report_seconds", kHistogram, "", "Time to answer a report, in seconds."},
      {"chartly_report_rows_total", kCounter, "", "Rows of the tables that reports made."},
      {"chartly_report_runs_total", kCounter, "outcome", "Runs of saved reports: succeeded, failed."},
      {"chartly_spool_bytes", kGauge, "", "Bytes in the spool that are not yet released."},
      {"chartly_spool_appends_total", kCounter, "", "Entries made durable in the spool."},
      {"chartly_spool_damaged_records_total", kCounter, "", "Spool records lost to damage on the disk."},
      {"chartly_spool_torn_tails_total", kCounter, "", "Half-written ends of the spool cut off at start."},
      {"chartly_witness_size", kGauge, "", "Events of the audit log that this drone saw last as its witness."},
      {"chartly_witness_alarms_total", kCounter, "reason",
       "Times the audit log failed the check of its witness, by reason."},
      {"chartly_uplink_reconnects_total", kCounter, "", "Times the ingest stream was opened anew."},
      {"chartly_uplink_loss_detected_total", kCounter, "", "Times the aggregator knew less than it had acked."},
      {"chartly_capture_bytes", kGauge, "", "Bytes that kept payloads take on the drone's disk."},
      {"chartly_capture_fetches_total", kCounter, "outcome",
       "Fetches whose payload was to be kept: new, known (it was there), too_large, no_room, failed."},
      {"chartly_capture_removed_total", kCounter, "cause",
       "Fetches whose payload was let go of: bytes, age, forgotten (the profile wants none kept)."},
      {"chartly_capture_replayed_total", kCounter, "outcome",
       "Payloads of runs over kept ones: read, unreadable, damaged, removed, of_another_source."},
      {"chartly_fetch_bytes_total", kCounter, "", "Bytes of payloads fetched, unpacked."},
      {"chartly_fetch_failures_total", kCounter, "reason", "Tries to fetch a page that failed, by reason."},
      {"chartly_fetch_retries_total", kCounter, "", "Pages that were asked for again after a failure."},
      {"chartly_fetch_wait_seconds_total", kCounter, "cause",
       "Time for which runs held back, in seconds: rate, quota, retry."},
  };
  return *table;
}

void Count(absl::string_view name, double by, absl::string_view label) {
  FamilyOf(All().counters, name)->Add(Labels(name, label)).Increment(by);
}

void SetGauge(absl::string_view name, double value, absl::string_view label) {
  FamilyOf(All().gauges, name)->Add(Labels(name, label)).Set(value);
}

void Observe(absl::string_view name, double seconds, absl::string_view label) {
  FamilyOf(All().histograms, name)->Add(Labels(name, label), Seconds()).Observe(seconds);
}

MetricTenant::MetricTenant(absl::string_view tenant) : before_(metric_tenant) { metric_tenant = LabelOf(tenant); }

MetricTenant::~MetricTenant() { metric_tenant = before_; }

std::string MetricTenant::Current() { return std::string(metric_tenant); }

std::string ScrapeMetrics() { return prometheus::TextSerializer().Serialize(All().registry.Collect()); }

}  // namespace chartly
