// The memory of a hash table: numbers, all 0 at first, on huge pages where there are many of them and the system has
// such pages. Slots are looked up in no order, and with small pages finding the page takes as long as the slot itself.
//
// Movable; not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_SLOT_ARRAY_H_
#define CHARTLY_CONTROL_AGGREGATOR_SLOT_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace chartly::aggregator {

class SlotArray {
 public:
  SlotArray() = default;
  ~SlotArray();
  SlotArray(SlotArray&& other) noexcept { Swap(other); }
  SlotArray& operator=(SlotArray&& other) noexcept {
    SlotArray gone(std::move(*this));
    Swap(other);
    return *this;
  }

  // Nothing if there is no memory.
  static std::optional<SlotArray> Make(size_t count);

  size_t size() const { return count_; }
  size_t bytes() const { return count_ * sizeof(uint64_t); }
  uint64_t& operator[](size_t slot) { return slots_[slot]; }
  const uint64_t& operator[](size_t slot) const { return slots_[slot]; }
  // Takes the memory from the system now, which else happens slot by slot.
  void Touch();

 private:
  void Swap(SlotArray& other) {
    std::swap(slots_, other.slots_);
    std::swap(count_, other.count_);
    std::swap(mapping_, other.mapping_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
  }
  uint64_t* slots_ = nullptr;
  size_t count_ = 0;
  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_SLOT_ARRAY_H_
