#include "common/profile/schedule_reader.h"

#include "absl/strings/str_cat.h"
#include "common/profile/cron_schedule.h"

namespace chartly {
namespace {

constexpr int64_t kMaxRedundancy = 100;
constexpr int64_t kMaxRingRuns = 1000;
constexpr size_t kMaxRings = 10;

void CheckCron(const NodeAt& at, NodeReader& reader, const ScheduleConfig& schedule) {
  if (schedule.cron.empty()) return reader.RefuseKey(at, "timezone", "is only read together with cron");
  reader.RefuseKey(at, "interval", "does not go together with cron");
  absl::StatusOr<CronSchedule> cron = CronSchedule::Parse(schedule.cron, schedule.timezone);
  if (cron.ok()) return;
  reader.Invalid(Child(at, absl::IsNotFound(cron.status()) ? "timezone" : "cron"), cron.status().message());
}

void ReadRing(const NodeAt& at, NodeReader& reader, RolloutConfig& rollout) {
  RolloutRing ring;
  if (at.node->kind == YamlNode::Kind::kMap) {
    reader.Map(at, {{"share", [&](const NodeAt& value) { reader.Share(value, ring.share); }},
                    {"labels", [&](const NodeAt& value) { reader.TextMap(value, ring.labels); }}});
  } else {
    reader.Share(at, ring.share);
  }
  if (ring.share <= 0) return reader.Invalid(at, "a ring is a share of more than 0, as 10%");
  rollout.rings.push_back(ring);
}

}  // namespace

void ReadSchedule(const NodeAt& at, NodeReader& reader, ScheduleConfig& schedule) {
  bool is_map = reader.Map(
      at,
      {{"enabled", [&](const NodeAt& value) { reader.Boolean(value, schedule.enabled); }},
       {"interval",
        [&](const NodeAt& value) {
          reader.Duration(value, absl::Seconds(1), absl::Hours(24 * 365), schedule.interval);
        }},
       {"jitter",
        [&](const NodeAt& value) { reader.Duration(value, absl::ZeroDuration(), absl::Hours(24), schedule.jitter); }},
       {"overlap",
        [&](const NodeAt& value) {
          reader.Choice<Overlap>(value, {{"skip", Overlap::kSkip}, {"queue", Overlap::kQueue}}, schedule.overlap);
        }},
       {"catch_up",
        [&](const NodeAt& value) {
          reader.Choice<CatchUp>(value,
                                 {{"latest", CatchUp::kLatest}, {"all", CatchUp::kAll}, {"none", CatchUp::kNone}},
                                 schedule.catch_up);
        }},
       {"cron", [&](const NodeAt& value) { reader.Text(value, schedule.cron); }},
       {"timezone", [&](const NodeAt& value) { reader.Text(value, schedule.timezone); }}});
  if (!is_map) return;
  if (schedule.cron.empty() && schedule.jitter > schedule.interval) {
    reader.Invalid(Child(at, "jitter"),
                   absl::StrCat("jitter is longer than the interval of ", DurationText(schedule.interval)));
  }
  CheckCron(at, reader, schedule);
}

void ReadPlacement(const NodeAt& at, NodeReader& reader, PlacementConfig& placement) {
  reader.Map(at, {{"labels", [&](const NodeAt& value) { reader.TextMap(value, placement.labels); }},
                  {"redundancy",
                   [&](const NodeAt& value) { reader.Integer(value, 1, kMaxRedundancy, placement.redundancy); }}});
}

void ReadRollout(const NodeAt& at, NodeReader& reader, RolloutConfig& rollout) {
  reader.Map(at, {{"rings",
                   [&](const NodeAt& value) {
                     reader.Items(value, [&](const NodeAt& item) { ReadRing(item, reader, rollout); });
                     if (rollout.rings.size() > kMaxRings) {
                       reader.Invalid(value, absl::StrCat("a rollout has at most ", kMaxRings, " rings"));
                     }
                   }},
                  {"runs", [&](const NodeAt& value) { reader.Integer(value, 1, kMaxRingRuns, rollout.runs); }}});
  reader.Require(at, "rings", "[10%, 50%]");
}

}  // namespace chartly
