// When a profile runs next. Pure functions of a profile's schedule and what its runs did; nothing is remembered here,
// so a restart changes no due time.
#ifndef CHARTLY_CONTROL_COORDINATOR_SCHEDULER_H_
#define CHARTLY_CONTROL_COORDINATOR_SCHEDULER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/profile/cron_schedule.h"
#include "common/profile/profile.h"

namespace chartly::coordinator {

// Who asked for a run.
inline constexpr char kTriggerSchedule[] = "schedule";
inline constexpr char kTriggerWebhook[] = "webhook";    // deliveries wait
inline constexpr char kTriggerBackfill[] = "backfill";  // a part of time that is past
inline constexpr char kTriggerExternal[] = "external";  // recorded, not done by us

struct ProfileSchedule {
  bool enabled = true;
  bool paused = false;
  absl::Duration interval = absl::Hours(1);
  absl::Duration jitter = absl::ZeroDuration();
  std::shared_ptr<const CronSchedule> cron;  // instead of the interval
  absl::Time since = absl::InfinitePast();   // last change of the profile; what was due before is not made up for
  Overlap overlap = Overlap::kSkip;
  CatchUp catch_up = CatchUp::kLatest;
  int max_attempts = 4;
  absl::Duration backoff = absl::Milliseconds(500);
  RequestRate retry_budget;  // none: as often as need be
};

// What is known of the runs of one profile.
struct ProfileHistory {
  bool open = false;                         // a run is not final yet
  std::optional<absl::Time> last_scheduled;  // creation of the newest first attempt of the schedule
  std::string last_scheduled_run;            // its id; seeds the jitter
  std::optional<absl::Time> last_slot;       // the time of the schedule that it was for
  std::optional<absl::Time> last_finished;   // of the newest run, if it is final
  // The newest run, if it failed.
  struct Failure {
    int attempt = 1;
    std::string reason;
    std::string trigger;
    absl::Time finished;
    bool took_rows = false;  // it failed on its way, not at its beginning
  };
  std::optional<Failure> failure;
  std::vector<absl::Time> retries = {};  // when runs were begun again, the newest first
};

struct NextRun {
  absl::Time due;
  int attempt = 1;
  std::string trigger;
  std::optional<absl::Time> slot = {};  // the time of the schedule that it is for; of a first attempt only
};

// Whether the same run may go well another time. Wrong profiles and wrong payloads do not heal by themselves.
bool IsRetryable(absl::string_view error_reason);

// How long to wait after failed attempt `attempt`: backoff doubled each time, at most five minutes.
absl::Duration RetryDelay(absl::Duration backoff, int attempt);

// When the budget of the profile lets another run be begun again: in the past if it does now.
absl::Time RetryAllowedAt(const RequestRate& budget, const std::vector<absl::Time>& retries, absl::Time now);

// The run that follows a failed one, if one does; not before the budget lets it. Nothing of what it follows is open.
std::optional<NextRun> NextRetryOf(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now);

// The next run: the retry of a failed one or the next of the schedule, whichever is due first; nothing if neither
// will come, or while a run is open.
std::optional<NextRun> NextRunOf(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now);

// The next run of a webhook for which deliveries wait: at once, or after a pause that grows with each failure but never
// gives up, since what was taken must arrive. Nothing while the profile is off or a run is open.
std::optional<NextRun> NextWebhookRun(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_SCHEDULER_H_
