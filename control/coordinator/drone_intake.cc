#include "control/coordinator/drone_intake.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::coordinator {
namespace {

constexpr size_t kMaxWaitingBytes = size_t{64} << 20;
// Others have a turn at the coordinator after so many.
constexpr size_t kIntakeGroup = 1000;
// Answers may be large, and all of a group are in memory at once.
constexpr size_t kAnswers = 64;

absl::Status Stopping() {
  return Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the coordinator stops; try again after it starts");
}

absl::Status TooManyDrones() {
  return Error(absl::StatusCode::kResourceExhausted, "STREAM_DRONES_TOO_MANY",
               absl::StrCat("a stream speaks for at most ", kMaxDronesOfStream, " drones; open another"));
}

// Calls `work` with pieces of at most kIntakeGroup.
template <typename T, typename Work>
void InGroups(std::vector<T> all, Work work) {
  for (auto first = all.begin(); first != all.end();) {
    auto last = first + std::min<ptrdiff_t>(kIntakeGroup, all.end() - first);
    work(std::vector<T>(std::make_move_iterator(first), std::make_move_iterator(last)));
    first = last;
  }
}

}  // namespace

void DroneIntake::Start() {
  thread_ = std::thread([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    Run();
  });
}

void DroneIntake::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
  Batch rest;
  {
    absl::MutexLock lock(&mu_);
    rest = std::exchange(waiting_, {});
  }
  RefuseAll(std::move(rest));
}

void DroneIntake::RefuseAll(Batch batch) {
  for (Registration& registration : batch.registrations) registration.done(Stopping());
  for (HeldBeat& beat : batch.beats) {
    if (beat.stream == nullptr) beat.done(Stopping());
  }
  for (const Stream& stream : batch.joined) stream->End(Stopping());
}

absl::Status DroneIntake::Reserve(size_t bytes) {
  if (stopping_) return Stopping();
  if (waiting_bytes_ + bytes > kMaxWaitingBytes) {
    return Error(absl::StatusCode::kResourceExhausted, "COORDINATOR_BUSY",
                 "too many drones wait for the coordinator; try again a little later");
  }
  waiting_bytes_ += bytes;
  return absl::OkStatus();
}

void DroneIntake::Register(v1::RegisterDroneRequest request, Registered done) {
  absl::Status reserved;
  {
    absl::MutexLock lock(&mu_);
    reserved = Reserve(request.ByteSizeLong());
    if (reserved.ok()) waiting_.registrations.push_back({std::move(request), std::move(done)});
  }
  if (!reserved.ok()) done(reserved);
}

void DroneIntake::Beat(v1::HeartbeatRequest request, Answered done) {
  absl::Status reserved;
  {
    absl::MutexLock lock(&mu_);
    reserved = Reserve(request.ByteSizeLong());
    if (reserved.ok()) waiting_.beats.push_back({std::move(request), std::move(done), nullptr});
  }
  if (!reserved.ok()) done(reserved);
}

void DroneIntake::Join(std::shared_ptr<DroneStream> stream) {
  {
    absl::MutexLock lock(&mu_);
    if (!stopping_) return waiting_.joined.push_back(std::move(stream));
  }
  stream->End(Stopping());
}

// What a stream sends is bounded by the stream.
void DroneIntake::Beat(std::shared_ptr<DroneStream> stream, v1::HeartbeatRequest request) {
  absl::MutexLock lock(&mu_);
  if (!stopping_) waiting_.beats.push_back({std::move(request), nullptr, std::move(stream)});
}

void DroneIntake::OnSent(std::shared_ptr<DroneStream> stream) {
  absl::MutexLock lock(&mu_);
  if (!stopping_) waiting_.sent.push_back(std::move(stream));
}

void DroneIntake::Close(std::shared_ptr<DroneStream> stream) {
  absl::MutexLock lock(&mu_);
  if (!stopping_) waiting_.closed.push_back(std::move(stream));
}

void DroneIntake::Leave(std::shared_ptr<DroneStream> stream) {
  absl::MutexLock lock(&mu_);
  if (!stopping_) waiting_.left.push_back(std::move(stream));
}

void DroneIntake::OnNews(const std::vector<std::string>& drone_ids) {
  absl::MutexLock lock(&mu_);
  if (!stopping_) waiting_.news.insert(drone_ids.begin(), drone_ids.end());
}

void DroneIntake::Run() {
  auto due = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || !waiting_.empty(); };
  while (true) {
    Batch batch;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(&due));
      if (stopping_) break;
      batch = std::exchange(waiting_, {});
      waiting_bytes_ = 0;
    }
    Handle(std::move(batch));
  }
  for (const Stream& stream : std::exchange(streams_, {})) stream->End(Stopping());
  attended_.clear();
  ready_.clear();
}

void DroneIntake::Handle(Batch batch) {
  streams_.insert(batch.joined.begin(), batch.joined.end());
  InGroups(std::move(batch.registrations), [this](std::vector<Registration> group) { RegisterAll(std::move(group)); });
  InGroups(std::move(batch.beats), [this](std::vector<HeldBeat> group) { HearAll(std::move(group)); });
  for (const Stream& stream : batch.sent) {
    stream->sending_ = false;
    if (!stream->wanting_.empty()) ready_.insert(stream);
  }
  for (const std::string& id : batch.news) {
    auto attended = attended_.find(id);
    if (attended != attended_.end()) Want(Stream(attended->second), id);
  }
  for (const Stream& stream : batch.left) Forget(stream);
  AnswerReady();
  for (const Stream& stream : batch.closed) stream->closing_ = true;
  for (const Stream& stream : batch.closed) EndIfClosed(stream);
  for (const Stream& stream : batch.sent) EndIfClosed(stream);
  SetGauge("chartly_drone_streams", static_cast<double>(streams_.size()));
}

void DroneIntake::RegisterAll(std::vector<Registration> registrations) {
  std::vector<const v1::RegisterDroneRequest*> requests;
  for (const Registration& registration : registrations) requests.push_back(&registration.request);
  std::vector<absl::StatusOr<v1::Drone>> results = coordinator_.RegisterDrones(requests);
  for (size_t i = 0; i < results.size(); ++i) registrations[i].done(std::move(results[i]));
}

void DroneIntake::HearAll(std::vector<HeldBeat> beats) {
  std::vector<const v1::HeartbeatRequest*> requests;
  for (const HeldBeat& beat : beats) requests.push_back(&beat.request);
  std::vector<HeardBeat> heard = coordinator_.HearBeats(requests);
  AnswerCalls(beats, heard);
  for (size_t i = 0; i < beats.size(); ++i) {
    if (beats[i].stream != nullptr) TakeHeard(beats[i], std::move(heard[i]));
  }
}

void DroneIntake::AnswerCalls(std::vector<HeldBeat>& beats, std::vector<HeardBeat>& heard) {
  for (size_t i = 0; i < beats.size(); ++i) {
    if (beats[i].stream != nullptr) continue;
    if (!heard[i].status.ok()) {
      beats[i].done(heard[i].status);
      continue;
    }
    const v1::HeartbeatRequest& request = beats[i].request;
    absl::StatusOr<v1::HeartbeatResponse> answer =
        std::move(coordinator_.OrdersFor({{request.drone_id(), request.epoch()}}).front());
    if (answer.ok()) {
      for (std::string& run_id : heard[i].cancel_run_ids) answer->add_cancel_run_ids(std::move(run_id));
      if (heard[i].quota) *answer->mutable_quota() = *std::move(heard[i].quota);
    }
    beats[i].done(std::move(answer));
  }
}

void DroneIntake::TakeHeard(HeldBeat& beat, HeardBeat heard) {
  const Stream& stream = beat.stream;
  const v1::HeartbeatRequest& request = beat.request;
  if (!streams_.contains(stream)) return;
  stream->OnHeard(request.ByteSizeLong());
  if (!heard.status.ok()) return Refuse(stream, request.drone_id(), heard.status);
  DroneStream::Told* told = Attend(stream, request.drone_id());
  if (told == nullptr) return End(stream, TooManyDrones());
  told->epoch = request.epoch();
  told->sequence = request.sequence();
  told->refused.clear();
  // Each beat tells of all runs of the drone, so these are all that are to be stopped.
  told->cancelled = std::move(heard.cancel_run_ids);
  told->quota = std::move(heard.quota);
  Want(stream, request.drone_id());
}

DroneStream::Told* DroneIntake::Attend(const Stream& stream, const std::string& drone_id) {
  if (stream->drones_.size() >= kMaxDronesOfStream && stream->drones_.count(drone_id) == 0) return nullptr;
  Stream before = std::exchange(attended_[drone_id], stream);
  if (before != nullptr && before != stream) {
    before->drones_.erase(drone_id);
    before->wanting_.erase(drone_id);
    // Of a drone that connected anew before its old connection was seen to be dead.
    if (before->drones_.empty()) {
      End(before, Error(absl::StatusCode::kAborted, "STREAM_REPLACED",
                        absl::StrCat("drone ", drone_id, " speaks on another stream now")));
    }
  }
  return &stream->drones_[drone_id];
}

void DroneIntake::Want(const Stream& stream, const std::string& drone_id) {
  stream->wanting_.insert(drone_id);
  if (!stream->sending_) ready_.insert(stream);
}

void DroneIntake::AnswerReady() {
  while (!ready_.empty()) {
    std::vector<Stream> some;
    for (auto it = ready_.begin(); it != ready_.end() && some.size() < kAnswers; ++it) some.push_back(*it);
    for (const Stream& stream : some) ready_.erase(stream);
    AnswerSome(some);
  }
}

// Round and round, so that each has its turn.
std::string DroneIntake::NextOf(DroneStream& stream) {
  auto next = stream.wanting_.upper_bound(stream.answered_);
  if (next == stream.wanting_.end()) next = stream.wanting_.begin();
  stream.answered_ = *next;
  stream.wanting_.erase(next);
  return stream.answered_;
}

void DroneIntake::AnswerSome(const std::vector<Stream>& streams) {
  std::vector<Coordinator::DroneEpoch> drones;
  for (const Stream& stream : streams) {
    std::string next = NextOf(*stream);
    const int64_t epoch = stream->drones_[next].epoch;
    drones.emplace_back(std::move(next), epoch);
  }
  std::vector<absl::StatusOr<v1::HeartbeatResponse>> orders = coordinator_.OrdersFor(drones);
  for (size_t i = 0; i < streams.size(); ++i) Answer(streams[i], drones[i].first, std::move(orders[i]));
}

void DroneIntake::Answer(const Stream& stream, const std::string& drone_id,
                         absl::StatusOr<v1::HeartbeatResponse> orders) {
  DroneStream::Told& told = stream->drones_[drone_id];
  v1::HeartbeatResponse answer;
  if (!told.refused.empty()) {
    answer.set_refused_reason(told.refused);
    stream->drones_.erase(drone_id);
  } else if (!orders.ok()) {
    return Refuse(stream, drone_id, orders.status());
  } else {
    answer = *std::move(orders);
    for (const std::string& run_id : told.cancelled) answer.add_cancel_run_ids(run_id);
    if (told.quota) *answer.mutable_quota() = *std::exchange(told.quota, std::nullopt);
    answer.set_sequence(told.sequence);
  }
  answer.set_drone_id(drone_id);
  stream->sending_ = true;
  stream->Send(std::move(answer));
}

void DroneIntake::Refuse(const Stream& stream, const std::string& drone_id, const absl::Status& why) {
  const bool alone = stream->drones_.empty() || (stream->drones_.size() == 1 && stream->drones_.count(drone_id) == 1);
  if (alone) return End(stream, why);
  if (stream->drones_.size() >= kMaxDronesOfStream) return End(stream, TooManyDrones());
  auto attended = attended_.find(drone_id);
  if (attended != attended_.end() && attended->second == stream) attended_.erase(attended);
  stream->drones_[drone_id].refused = Reason(why).empty() ? "UNKNOWN" : Reason(why);
  Want(stream, drone_id);
}

void DroneIntake::EndIfClosed(const Stream& stream) {
  if (stream->closing_ && !stream->sending_ && stream->wanting_.empty()) End(stream, absl::OkStatus());
}

void DroneIntake::End(const Stream& stream, const absl::Status& status) {
  stream->End(status);
  Forget(Stream(stream));
}

void DroneIntake::Forget(const Stream& stream) {
  for (const auto& [drone_id, told] : stream->drones_) {
    auto attended = attended_.find(drone_id);
    if (attended != attended_.end() && attended->second == stream) attended_.erase(attended);
  }
  stream->drones_.clear();
  stream->wanting_.clear();
  ready_.erase(stream);
  streams_.erase(stream);
}

}  // namespace chartly::coordinator
