#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <unordered_map>

namespace tk {

/// How a pool deals with sizes.
struct PoolPolicy {
  std::int64_t (*rounded)(std::int64_t bytes);  ///< what a request takes
  std::int64_t (*chunk)(std::int64_t size);     ///< what the system is asked for where no free block serves a size
  std::int64_t small;                           ///< smaller sizes come from chunks of their own, and pin no large ones
  bool splits;  ///< whether a larger free block serves a size and its rest stays free; otherwise an equal one alone
};

/// Memory that comes from the system in chunks and is handed out in blocks. A request gets the smallest free block that
/// serves it, of equal ones that which was freed last; free neighbours in a chunk become one block again. So where a
/// block lies in its chunk follows from the requests alone. Not for several threads at once.
class BlockPool {
 public:
  struct System {
    std::function<void*(std::int64_t bytes)> allocate;  ///< null or a throw when there is none left; may call release()
    std::function<void(void* data, std::int64_t bytes)> deallocate;
  };

  BlockPool(const PoolPolicy& policy, System system) : policy_(policy), system_(std::move(system)) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// A block of policy.rounded(bytes); null when the system gave null.
  void* allocate(std::int64_t bytes);
  /// Takes a block back; false if it is not one of this pool's.
  bool deallocate(void* data) noexcept;

  /// Bytes of the chunks of which nothing is handed out.
  std::int64_t releasable() const;
  /// Gives those chunks back to the system.
  void release();

 private:
  struct Block {
    void* data;
    std::int64_t size;
    bool is_small;            // of a chunk for small sizes
    Block* before = nullptr;  // the neighbours in the chunk
    Block* after = nullptr;
    std::uint64_t freed_at = 0;  // counts up; 0: handed out

    bool is_free() const { return freed_at != 0; }
    bool is_chunk() const { return before == nullptr && after == nullptr; }
  };
  // Small chunks first, by size, and of equal sizes what was freed last.
  struct BestFirst {
    bool operator()(const Block* a, const Block* b) const;
  };

  Block* best_for(std::int64_t size) const;
  Block* new_chunk(std::int64_t size);
  void split(Block& block, std::int64_t size);
  void absorb_next(Block& block);
  void set_free(Block& block);
  void set_used(Block& block);

  PoolPolicy policy_;
  System system_;
  std::unordered_map<void*, Block> blocks_;  // all, free or not
  std::set<Block*, BestFirst> free_;
  std::uint64_t frees_ = 0;
};

}  // namespace tk
