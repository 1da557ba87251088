// base/intrusive_list.h: a doubly linked list whose links live in its elements.
//
// Model    elements derive from ListNode<Tag>; the list owns nothing. An element unlinks itself
//          when it is destroyed, so a list never holds a dead element.
// Threads  owned by one thread.
// Blocks   never. Cost: every operation is O(1), without allocation.
// Source   docs/design/reactor.md, "Timers and queues"
#pragma once

#include "krg/base/assert.h"

namespace krg {

template <class Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    next_->prev_ = prev_;
    prev_->next_ = next_;
    next_ = prev_ = nullptr;
  }

 private:
  template <class T, class U>
  friend class IntrusiveList;

  ListNode* next_ = nullptr;
  ListNode* prev_ = nullptr;
};

// A list of T, which derives from ListNode<Tag>.
template <class T, class Tag>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  IntrusiveList() noexcept { head_.next_ = head_.prev_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) front().Node::unlink();
    head_.next_ = head_.prev_ = nullptr;
  }

  bool empty() const noexcept { return head_.next_ == &head_; }
  // Requires  !empty().
  T& front() noexcept { return static_cast<T&>(*head_.next_); }

  // Requires  `element` is in no list of this Tag.
  void push_back(T& element) noexcept { insert_before(&head_, element); }
  void push_front(T& element) noexcept { insert_before(head_.next_, element); }

  // Requires  !empty().
  T& pop_front() noexcept {
    KRG_DASSERT(!empty());
    T& element = front();
    element.Node::unlink();
    return element;
  }

  // Moves every element of `other` to the end of this list.
  void take(IntrusiveList& other) noexcept {
    if (other.empty()) return;
    Node* first = other.head_.next_;
    Node* last = other.head_.prev_;
    other.head_.next_ = other.head_.prev_ = &other.head_;
    first->prev_ = head_.prev_;
    head_.prev_->next_ = first;
    last->next_ = &head_;
    head_.prev_ = last;
  }

  class Iterator {
   public:
    explicit Iterator(Node* node) noexcept : node_(node) {}
    T& operator*() const noexcept { return static_cast<T&>(*node_); }
    Iterator& operator++() noexcept {
      node_ = node_->next_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Node* node_;
  };
  Iterator begin() noexcept { return Iterator(head_.next_); }
  Iterator end() noexcept { return Iterator(&head_); }

 private:
  void insert_before(Node* position, Node& node) noexcept {
    KRG_DASSERT(!node.linked());
    node.next_ = position;
    node.prev_ = position->prev_;
    position->prev_->next_ = &node;
    position->prev_ = &node;
  }

  Node head_;
};

}  // namespace krg
