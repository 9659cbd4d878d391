#include "bench/bare_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "bench/bench_report.h"
#include "chartly/v1/aggregator.grpc.pb.h"

namespace chartly::bench {
namespace {

class BareStream;

struct Entry {
  BareStream* stream;
  int64_t seq;
};

// Batches that wait for the one thread that writes them.
class LogWriter {
 public:
  explicit LogWriter(const std::string& path)
      : fd_(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)), thread_([this] { Run(); }) {
    RequireOk(fd_ >= 0 ? absl::OkStatus() : absl::InternalError("the file cannot be made"), "the bare log");
  }
  ~LogWriter() {
    {
      absl::MutexLock lock(&mu_);
      stopping_ = true;
    }
    thread_.join();
    ::close(fd_);
  }
  void Append(Entry entry, const std::string& bytes) {
    absl::MutexLock lock(&mu_);
    waiting_.push_back(entry);
    bytes_ += bytes;
  }

 private:
  void Run();

  const int fd_;
  absl::Mutex mu_;
  std::vector<Entry> waiting_ ABSL_GUARDED_BY(mu_);
  std::string bytes_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

class BareStream final : public grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse> {
 public:
  explicit BareStream(LogWriter& writer) : writer_(writer) { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      absl::MutexLock lock(&mu_);
      reads_done_ = true;
      return FinishIfIdle();
    }
    if (request_.has_hello()) {
      absl::MutexLock lock(&mu_);
      writing_ = true;
      response_.mutable_welcome()->set_durable_seq(0);
      StartWrite(&response_);
    } else {
      {
        absl::MutexLock lock(&mu_);
        ++open_;
      }
      writer_.Append({this, request_.entry().seq()}, request_.entry().batch());
    }
    StartRead(&request_);
  }
  void Durable(int64_t seq) {
    absl::MutexLock lock(&mu_);
    --open_;
    durable_ = seq;
    WriteAck();
    FinishIfIdle();
  }
  void OnWriteDone(bool) override {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    WriteAck();
    FinishIfIdle();
  }
  void OnDone() override {
    { absl::MutexLock lock(&mu_); }  // whoever finished it may hold it still
    delete this;
  }

 private:
  void WriteAck() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || reads_done_ || acked_ == durable_) return;
    writing_ = true;
    acked_ = durable_;
    response_.mutable_ack()->set_seq(acked_);
    StartWrite(&response_);
  }
  void FinishIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!reads_done_ || writing_ || open_ > 0 || finished_) return;
    finished_ = true;
    Finish(grpc::Status::OK);
  }

  LogWriter& writer_;
  v1::IngestRequest request_;
  v1::IngestResponse response_;
  absl::Mutex mu_;
  int open_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t durable_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t acked_ ABSL_GUARDED_BY(mu_) = 0;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

void LogWriter::Run() {
  while (true) {
    std::vector<Entry> entries;
    std::string bytes;
    {
      absl::MutexLock lock(&mu_);
      auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !waiting_.empty() || stopping_; };
      mu_.Await(absl::Condition(&ready));
      if (waiting_.empty()) return;
      entries.swap(waiting_);
      bytes.swap(bytes_);
    }
    RequireOk(AppendSynced(fd_, bytes) ? absl::OkStatus() : absl::InternalError("a write failed"), "the bare log");
    for (const Entry& entry : entries) entry.stream->Durable(entry.seq);
  }
}

class BareService final : public v1::IngestService::CallbackService {
 public:
  explicit BareService(LogWriter& writer) : writer_(writer) {}
  grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse>* Ingest(grpc::CallbackServerContext*) override {
    return new BareStream(writer_);
  }

 private:
  LogWriter& writer_;
};

}  // namespace

class BareLog::Impl {
 public:
  explicit Impl(const std::string& path) : writer(path), service(writer) {}
  LogWriter writer;
  BareService service;
};

BareLog::BareLog(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
BareLog::~BareLog() = default;
grpc::Service& BareLog::service() { return impl_->service; }

}  // namespace chartly::bench
