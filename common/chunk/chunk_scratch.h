// Memory that decoding needs for a moment, kept from one column to the next: first touching a fresh page costs as much
// as decoding it. One a thread; not thread-safe.
#ifndef CHARTLY_COMMON_CHUNK_CHUNK_SCRATCH_H_
#define CHARTLY_COMMON_CHUNK_CHUNK_SCRATCH_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace chartly {

class ChunkScratch {
 public:
  using Integers = std::vector<int64_t>;

  // A buffer, given back at the end of its life.
  template <typename Buffer>
  class Lease {
   public:
    explicit Lease(std::vector<Buffer>& pool) : pool_(pool) {
      if (pool.empty()) return;
      buffer_ = std::move(pool.back());
      pool.pop_back();
    }
    ~Lease() { pool_.push_back(std::move(buffer_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Buffer& operator*() { return buffer_; }
    Buffer* operator->() { return &buffer_; }

   private:
    std::vector<Buffer>& pool_;
    Buffer buffer_;
  };

  Lease<Integers> TakeIntegers() { return Lease<Integers>(integers_); }
  Lease<std::string> TakeBytes() { return Lease<std::string>(bytes_); }

 private:
  std::vector<Integers> integers_;
  std::vector<std::string> bytes_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_CHUNK_SCRATCH_H_
