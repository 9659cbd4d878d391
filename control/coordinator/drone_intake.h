// One thread through which everything that drones tell goes to the coordinator and everything they are told comes from
// it. It takes what waits, has the coordinator take that in one step with one synced write, and then answers: what is
// answered is durable, and neither the threads of gRPC nor the drones of other streams wait for a disk.
//
// An answer on a stream is made when the stream can send it, so that a drone has at most one on its way: what comes
// meanwhile is in the next one, and a slow reader holds nothing but its own place. Thread-safe. The coordinator must
// outlive it. Shutdown is safe twice; afterwards everything is refused with Unavailable (SHUTTING_DOWN).
#ifndef CHARTLY_CONTROL_COORDINATOR_DRONE_INTAKE_H_
#define CHARTLY_CONTROL_COORDINATOR_DRONE_INTAKE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/coordinator.pb.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {

// Drones that one stream may speak for.
inline constexpr size_t kMaxDronesOfStream = 10'000;

// A stream of one drone or several, as the intake sees it. The intake calls from its one thread, and from another one
// only to end it.
class DroneStream {
 public:
  virtual ~DroneStream() = default;
  // A message of so many bytes has been heard.
  virtual void OnHeard(size_t bytes) = 0;
  // Sends an answer. The next one comes after DroneIntake::OnSent.
  virtual void Send(v1::HeartbeatResponse answer) = 0;
  // Ends the stream, after what is being sent. Safe twice.
  virtual void End(const absl::Status& status) = 0;

 private:
  friend class DroneIntake;
  struct Told {
    int64_t epoch = 0;
    int64_t sequence = 0;                  // of its last beat that was heard
    std::vector<std::string> cancelled;    // by that beat
    std::optional<v1::QuotaAnswer> quota;  // to that beat, until it is sent
    std::string refused;                   // why that beat was
  };
  // All of the intake's thread.
  std::map<std::string, Told> drones_;
  std::set<std::string> wanting_;  // those of them to be answered
  std::string answered_;           // the last of them that was
  bool sending_ = false;
  bool closing_ = false;  // nothing more comes on it
};

class DroneIntake final : public DroneListener {
 public:
  explicit DroneIntake(Coordinator& coordinator) : coordinator_(coordinator) {}
  ~DroneIntake() override { Shutdown(); }
  void Start();
  void Shutdown();

  // `done` is called once, from the thread or at once. ResourceExhausted (COORDINATOR_BUSY) if too much waits.
  using Registered = std::function<void(absl::StatusOr<v1::Drone>)>;
  void Register(v1::RegisterDroneRequest request, Registered done);
  using Answered = std::function<void(absl::StatusOr<v1::HeartbeatResponse>)>;
  void Beat(v1::HeartbeatRequest request, Answered done);

  // A stream that begins, what comes on it, that it can send again, that nothing more comes (it is ended once all is
  // answered), and that it has ended.
  void Join(std::shared_ptr<DroneStream> stream);
  void Beat(std::shared_ptr<DroneStream> stream, v1::HeartbeatRequest request);
  void OnSent(std::shared_ptr<DroneStream> stream);
  void Close(std::shared_ptr<DroneStream> stream);
  void Leave(std::shared_ptr<DroneStream> stream);

  void OnNews(const std::vector<std::string>& drone_ids) override;

 private:
  using Stream = std::shared_ptr<DroneStream>;
  struct Registration {
    v1::RegisterDroneRequest request;
    Registered done;
  };
  struct HeldBeat {
    v1::HeartbeatRequest request;
    Answered done;  // of one call
    Stream stream;  // or of a stream, then not null
  };
  // What waits, by kind; each in the order in which it came.
  struct Batch {
    std::vector<Stream> joined;
    std::vector<Registration> registrations;
    std::vector<HeldBeat> beats;
    std::vector<Stream> sent;
    std::vector<Stream> closed;
    std::vector<Stream> left;
    std::set<std::string> news;
    bool empty() const {
      return joined.empty() && registrations.empty() && beats.empty() && sent.empty() && closed.empty() &&
             left.empty() && news.empty();
    }
  };

  absl::Status Reserve(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run();
  void Handle(Batch batch);
  void RegisterAll(std::vector<Registration> registrations);
  void HearAll(std::vector<HeldBeat> beats);
  void AnswerCalls(std::vector<HeldBeat>& beats, std::vector<HeardBeat>& heard);
  void TakeHeard(HeldBeat& beat, HeardBeat heard);
  // Makes the stream the one through which the drone is told; null if it speaks for too many.
  DroneStream::Told* Attend(const Stream& stream, const std::string& drone_id);
  // The drone is to be answered as soon as its stream can.
  void Want(const Stream& stream, const std::string& drone_id);
  void AnswerReady();
  void AnswerSome(const std::vector<Stream>& streams);
  static std::string NextOf(DroneStream& stream);
  void Answer(const Stream& stream, const std::string& drone_id, absl::StatusOr<v1::HeartbeatResponse> orders);
  // What a refusal is to a stream: its end if it is of that drone alone, else an answer.
  void Refuse(const Stream& stream, const std::string& drone_id, const absl::Status& why);
  void EndIfClosed(const Stream& stream);
  void End(const Stream& stream, const absl::Status& status);
  void Forget(const Stream& stream);
  static void RefuseAll(Batch batch);

  Coordinator& coordinator_;
  std::thread thread_;

  // Of the thread.
  absl::flat_hash_set<Stream> streams_;
  absl::flat_hash_map<std::string, Stream> attended_;  // by drone, the stream that spoke for it last
  absl::flat_hash_set<Stream> ready_;                  // can send, and have something to

  absl::Mutex mu_;
  Batch waiting_ ABSL_GUARDED_BY(mu_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_DRONE_INTAKE_H_
